// Cuts the text of a log into what a terminal would do with it. Pure and stateless: what cannot be decided before more text
// comes is left over, so the result never depends on where the text was cut into chunks.

export interface Sink {
  text(text: string): void
  // One of \n \r \b \t.
  control(code: string): void
  // A control sequence `ESC [ parameters final`.
  csi(parameters: string, final: string): void
  sectionStart(at: number, name: string, options: string): void
  sectionEnd(at: number, name: string): void
}

const SPECIAL = /[\x00-\x1f\x7f-\x9f]|section_(?:start|end):/g
const MARKER = /section_(start|end):(\d{1,20}):([a-zA-Z0-9_.-]{1,256})(?:\[([^\]\r\n]{0,512})\])?\r\x1b\[0K/y
const MARKER_BEGINS =
  /^section_(?:start|end):(?:\d{0,20}|\d{1,20}:[a-zA-Z0-9_.-]{0,256}|\d{1,20}:[a-zA-Z0-9_.-]{1,256}\[[^\]\r\n]{0,512}|\d{1,20}:[a-zA-Z0-9_.-]{1,256}(?:\[[^\]\r\n]{0,512}\])?\r(?:\x1b(?:\[0?)?)?|\d{1,20}:[a-zA-Z0-9_.-]{1,256}\[[^\]\r\n]{0,512}\])$/
const LONGEST_MARKER = 840
const CSI = /\x1b\[([\x30-\x3f]{0,256})[\x20-\x2f]{0,16}([\x40-\x7e])/y
const CSI_BEGINS = /\x1b\[[\x30-\x3f]{0,256}[\x20-\x2f]{0,16}/y
const SHORT_ESCAPE = /\x1b[\x20-\x2f]{0,16}[\x30-\x7e]/y
const SHORT_ESCAPE_BEGINS = /\x1b[\x20-\x2f]{0,16}/y
// Titles, hyperlinks and other strings for the terminal; one that never ends must not swallow the log.
const STRING_ENDS = /[\x07\n\x1b\x9c]/g
const LONGEST_STRING = 4096
const MARKER_WORDS = ['section_start:', 'section_end:']

const WAIT = -1

// How many characters at the end of `text` could become a section marker.
function tailOfMarker(text: string, from: number): number {
  const longest = Math.min(text.length - from, MARKER_WORDS[0]!.length - 1)
  for (let length = longest; length > 0; length -= 1) {
    const tail = text.slice(text.length - length)
    if (MARKER_WORDS.some((word) => word.length > length && word.startsWith(tail))) return length
  }
  return 0
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}

// Each of these answers the position after what stands at `at`, or WAIT.
function marker(text: string, at: number, word: string, last: boolean, sink: Sink): number {
  const found = matchAt(MARKER, text, at)
  if (found) {
    if (found[1] === 'start') sink.sectionStart(Number(found[2]), found[3]!, found[4] ?? '')
    else sink.sectionEnd(Number(found[2]), found[3]!)
    return at + found[0].length
  }
  if (!last && text.length - at < LONGEST_MARKER && MARKER_BEGINS.test(text.slice(at))) return WAIT
  sink.text(word)
  return at + word.length
}

function terminalString(text: string, at: number, last: boolean): number {
  const end = matchAt(STRING_ENDS, text, at + 2)?.index ?? text.length
  if (end - at > LONGEST_STRING) return at + 2
  if (end === text.length) return last ? at + 2 : WAIT
  switch (text[end]) {
    case '\n':
      return end
    case '\x1b':
      if (end + 1 === text.length) return last ? end : WAIT
      return text[end + 1] === '\\' ? end + 2 : end
    default:
      return end + 1
  }
}

function escape(text: string, at: number, last: boolean, sink: Sink): number {
  const next = text[at + 1]
  if (next === undefined) return last ? at + 1 : WAIT
  if (next === '[') {
    const found = matchAt(CSI, text, at)
    if (found) {
      sink.csi(found[1]!, found[2]!)
      return at + found[0].length
    }
    const end = at + matchAt(CSI_BEGINS, text, at)![0].length
    return end === text.length && !last ? WAIT : end
  }
  if (']PX^_'.includes(next)) return terminalString(text, at, last)
  const found = matchAt(SHORT_ESCAPE, text, at)
  if (found) return at + found[0].length
  const end = at + matchAt(SHORT_ESCAPE_BEGINS, text, at)![0].length
  return end === text.length && !last ? WAIT : end
}

// Gives `sink` all that is certain in `text`, and answers the rest, to be put before the next chunk.
export function tokenize(text: string, last: boolean, sink: Sink): string {
  let at = 0
  while (at < text.length) {
    const special = matchAt(SPECIAL, text, at)
    const stop = special ? special.index : text.length - (last ? 0 : tailOfMarker(text, at))
    if (stop > at) sink.text(text.slice(at, stop))
    if (!special) return text.slice(stop)
    const word = special[0]
    let after = stop + word.length
    if (word.length > 1) after = marker(text, stop, word, last, sink)
    else if (word === '\x1b') after = escape(text, stop, last, sink)
    else if (word === '\n' || word === '\r' || word === '\b' || word === '\t') sink.control(word)
    if (after === WAIT) return text.slice(stop)
    at = after
  }
  return ''
}
