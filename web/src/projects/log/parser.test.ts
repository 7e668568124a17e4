import { describe, expect, it } from 'vitest'
import { LogParser, parseLog } from './parser'
import { Random } from './random_for_test'
import { trueColour } from './sgr'

const texts = (log: string) => parseLog(log).screen.lines.map((line) => line.text)
const ESC = '\x1b'
const start = (name: string, at = 10, options = '') => `section_start:${at}:${name}${options}\r${ESC}[0K`
const end = (name: string, at = 20) => `section_end:${at}:${name}\r${ESC}[0K`

function styleOf(log: string, line = 0, column = 0) {
  const { lines, styles } = parseLog(log).screen
  const runs = lines[line]!.runs ?? []
  for (let i = 0; i < runs.length; i += 2) if (column < runs[i]!) return styles.styles[runs[i + 1]!]!
  return styles.styles[0]!
}

describe('lines', () => {
  it('ends them with LF and CRLF, keeps blank ones, wants no last line feed', () => {
    expect(texts('a\n\nb\r\nc')).toEqual(['a', '', 'b', 'c'])
    expect(texts('a\n')).toEqual(['a'])
    expect(texts('')).toEqual([])
  })

  it('lets a carriage return overwrite, as a terminal does', () => {
    expect(texts('foobar\rbaz\n')).toEqual(['bazbar'])
    expect(texts(`10%\r20%\r${ESC}[Kdone\n`)).toEqual(['done'])
    expect(texts('a\rb\rc')).toEqual(['c'])
  })

  it('moves the cursor within the line', () => {
    expect(texts('abc\b\bX')).toEqual(['aXc'])
    expect(texts(`abcdef${ESC}[3DX`)).toEqual(['abcXef'])
    expect(texts(`ab${ESC}[3CX`)).toEqual(['ab   X'])
    expect(texts(`abcdef${ESC}[2GX`)).toEqual(['aXcdef'])
    expect(texts(`abcdef${ESC}[3G${ESC}[K`)).toEqual(['ab'])
    expect(texts(`abcdef${ESC}[3G${ESC}[1K`)).toEqual(['   def'])
    expect(texts(`abcdef${ESC}[2K\rnew`)).toEqual(['new'])
    expect(texts('a\tb\n12345678\tc')).toEqual(['a       b', '12345678        c'])
    expect(texts('tea \u{1F375} pot\rT\n')).toEqual(['Tea \u{1F375} pot'])
  })

  it('goes up again for progress over several lines, but not above a section marker', () => {
    expect(texts(`one 1%\ntwo 1%\n${ESC}[2A${ESC}[2Kone 9%\n${ESC}[2Ktwo 9%\nend`)).toEqual(['one 9%', 'two 9%', 'end'])
    expect(texts(`above\n${start('s')}title\n${ESC}[9Aoverwritten`)).toEqual(['above', 'overwritten'])
    expect(texts(`a\nb\nc${ESC}[2A\r${ESC}[J1\n2`)).toEqual(['1', '2', ''])
  })

  it('does not let a cursor invent text without bound', () => {
    expect(texts(`${ESC}[99999999Cx`)[0]!.length).toBeLessThan(3000)
  })

  it('decodes UTF-8, and shows what is none as such', () => {
    const parser = new LogParser()
    for (const byte of new TextEncoder().encode('grün €\u{1F600}')) parser.write(new Uint8Array([byte]))
    parser.write(new Uint8Array([0xff, 0x41]))
    parser.end()
    expect(parser.screen.lines[0]!.text).toBe('grün €\u{1F600}\ufffdA')
  })

  it('overwrites a long line a million times without copying it each time', () => {
    const log = 'x'.repeat(200_000) + '\ry'.repeat(300_000)
    const begun = performance.now()
    expect(texts(log)[0]!.length).toBe(200_000)
    expect(performance.now() - begun).toBeLessThan(5000)
  })
})

describe('escape sequences', () => {
  it('drops what it does not know', () => {
    expect(texts(`a${ESC}[?25lb${ESC}(Bc${ESC}7d${ESC}[6ne\x07f\x00g\u009bh`)).toEqual(['abcdefgh'])
    expect(texts(`${ESC}]0;title\x07a${ESC}]8;;https://x.example${ESC}\\link${ESC}]8;;${ESC}\\b`)).toEqual(['alinkb'])
    expect(texts(`a${ESC}]never ends\nb`)).toEqual(['a', 'b'])
    expect(texts(`a${ESC}[31\nb`)).toEqual(['a', 'b'])
    expect(texts(`a${ESC}`)).toEqual(['a'])
  })

  it('does not let an unfinished string swallow the log', () => {
    expect(texts(`${ESC}]${'x'.repeat(10_000)}`)[0]!.length).toBe(10_000)
  })
})

describe('colours', () => {
  it('reads the basic attributes and resets them', () => {
    expect(styleOf(`${ESC}[1;31mred`)).toMatchObject({ fg: 1, bold: true })
    expect(styleOf(`${ESC}[3;4;7;9;2mx`)).toMatchObject({ italic: true, underline: true, inverse: true, strike: true, dim: true })
    expect(styleOf(`${ESC}[1;3;4;7;9m${ESC}[22;23;24;27;29mx`)).toEqual(parseLog('x').screen.styles.styles[0])
    expect(styleOf(`${ESC}[91;104mx`)).toMatchObject({ fg: 9, bg: 12 })
    expect(styleOf(`${ESC}[31m${ESC}[mx`)).toMatchObject({ fg: -1 })
    expect(styleOf(`${ESC}[31m${ESC}[0;mx`)).toMatchObject({ fg: -1 })
    expect(styleOf(`${ESC}[32;41m${ESC}[39;49mx`)).toMatchObject({ fg: -1, bg: -1 })
  })

  it('reads 256 and true colours in both spellings', () => {
    expect(styleOf(`${ESC}[38;5;208mx`)).toMatchObject({ fg: 208 })
    expect(styleOf(`${ESC}[48:5:17mx`)).toMatchObject({ bg: 17 })
    for (const spelling of ['38;2;16;32;48', '38:2::16:32:48', '38:2:16:32:48'])
      expect(styleOf(`${ESC}[${spelling}mx`)).toMatchObject({ fg: trueColour(16, 32, 48) })
    expect(styleOf(`${ESC}[38;5;300;1mx`)).toMatchObject({ fg: -1, bold: true })
    expect(styleOf(`${ESC}[38mx`)).toMatchObject({ fg: -1 })
  })

  it('carries them over line ends, and keeps them where a line was overwritten', () => {
    expect(styleOf(`${ESC}[32ma\nb`, 1)).toMatchObject({ fg: 2 })
    const log = `${ESC}[31mabc\r${ESC}[32mX`
    expect(styleOf(log, 0, 0)).toMatchObject({ fg: 2 })
    expect(styleOf(log, 0, 1)).toMatchObject({ fg: 1 })
  })

  it('bounds the number of styles', () => {
    let log = ''
    for (let i = 0; i < 256; i += 1) for (let j = 0; j < 32; j += 1) log += `${ESC}[38;5;${i};48;5;${j}mx`
    expect(parseLog(log).screen.styles.styles.length).toBeLessThanOrEqual(2048)
  })
})

describe('sections', () => {
  it('makes the line after the marker the title', () => {
    const { lines, sections } = parseLog(`before\n${start('a', 5)}Title\nbody\n${end('a', 65)}after`).screen
    expect(lines.map((line) => [line.text, line.section, line.titleOf])).toEqual([
      ['before', -1, -1],
      ['Title', 0, 0],
      ['body', 0, -1],
      ['after', -1, -1],
    ])
    expect(sections[0]).toMatchObject({ name: 'a', startedAt: 5, endedAt: 65, title: 1, collapsed: false })
  })

  it('reads the runner\'s own markers, several on one line, and script sections that end with a line feed', () => {
    const log =
      `${start('prepare')}${ESC}[0K${ESC}[36;1mPreparing${ESC}[0;m${ESC}[0;m\nUsing Shell\n${end('prepare')}${start('step')}` +
      `${ESC}[0KExecuting\n${start('cmd', 3, '[hide_duration=true,collapsed=true]')}$ make\nok\n${end('cmd')}\n${end('step')}${ESC}[32;1mJob succeeded${ESC}[0;m\n`
    const { lines, sections } = parseLog(log).screen
    expect(lines.map((line) => line.text)).toEqual(['Preparing', 'Using Shell', 'Executing', '$ make', 'ok', 'Job succeeded'])
    expect(sections.map((section) => [section.name, section.parent, section.title])).toEqual([['prepare', -1, 0], ['step', -1, 2], ['cmd', 1, 3]])
    expect(sections[2]).toMatchObject({ collapsed: true, hideDuration: true })
  })

  it('closes what was left open inside, ignores an end without a start, leaves the unclosed open', () => {
    const { sections } = parseLog(`${start('a')}A\n${start('b')}B\n${end('a', 30)}${end('zzz')}${start('c')}C\n`).screen
    expect(sections.map((section) => section.endedAt)).toEqual([30, 30, null])
  })

  it('survives a log that is nothing but markers', () => {
    const { lines, sections } = parseLog(Array.from({ length: 5000 }, (_, i) => start(`s${i}`)).join('') + 'x').screen
    expect(sections.length).toBe(32)
    expect(lines[lines.length - 1]!.text).toBe('x')
    expect(parseLog((start('a') + end('a')).repeat(2000)).screen.lines).toEqual([])
  })

  it('leaves text alone that only looks like a marker', () => {
    expect(texts('section_start:1:a\n')).toEqual(['section_start:1:a'])
    expect(texts('section_startle')).toEqual(['section_startle'])
    expect(texts(`section_start:x:a\r${ESC}[0K`)[0]).toBe('')
    expect(texts('my section_end:')).toEqual(['my section_end:'])
  })
})

describe('time-stamped logs', () => {
  const stamp = (stream: string, rest: string, second = 5) => `2026-01-02T03:04:0${second}.000001Z ${stream}${rest}\n`

  it('takes the headers off and joins continued lines', () => {
    const log =
      stamp('00O ', `${ESC}[0KRunning with gitlab-runner${ESC}[0;m`) +
      stamp('00O ', start('prepare').trimEnd()) +
      stamp('00O+', `${ESC}[0K${ESC}[36;1mPreparing${ESC}[0;m`) +
      stamp('01O ', 'out', 7) +
      stamp('01E ', 'err') +
      stamp('01O+', ' more') +
      stamp('01O ', '') +
      stamp('00O ', end('prepare').trimEnd()) +
      stamp('00O+', 'Job succeeded')
    const { lines, sections } = parseLog(log).screen
    expect(lines.map((line) => line.text)).toEqual(['Running with gitlab-runner', 'Preparing', 'out more', 'err', '', 'Job succeeded'])
    expect(lines.map((line) => line.stream)).toEqual(['00O', '00O', '01O', '01E', '01O', '00O'])
    expect(lines[2]!.time).toBe('2026-01-02T03:04:07.000001Z')
    expect(sections).toMatchObject([{ name: 'prepare', title: 1, endedAt: 20 }])
  })

  it('lets continued lines overwrite', () => {
    const dots = stamp('ffE ', 'bar: .\r') + stamp('ffE+', '.\r') + stamp('ffE+', 'Done.\r')
    expect(texts(dots)).toEqual(['Done..'])
  })

  it('keeps the colours of the streams apart', () => {
    const log = stamp('01O ', `${ESC}[31mred`) + stamp('01E ', 'plain') + stamp('01O ', 'still red')
    expect(styleOf(log, 1)).toMatchObject({ fg: -1 })
    expect(styleOf(log, 2)).toMatchObject({ fg: 1 })
  })

  it('shows lines without a header as they are', () => {
    expect(texts(stamp('01O ', 'a') + 'no header\n' + stamp('01O ', 'b'))).toEqual(['a', 'no header', 'b'])
  })

  it('does not take headers off a log that does not begin with one', () => {
    expect(texts('plain\n' + stamp('01O ', 'x'))).toEqual(['plain', '2026-01-02T03:04:05.000001Z 01O x'])
  })
})

const PIECES = [
  'hello', 'a', '\n', '\r', '\r\n', '\b', '\t', ESC, `${ESC}[`, `${ESC}[31m`, `${ESC}[0m`, `${ESC}[0K`, `${ESC}[2A`, `${ESC}[J`, `${ESC}[5D`,
  `${ESC}]0;x`, '\x07', `${ESC}\\`, 'section_', 'section_start:', start('a'), start('b', 1, '[collapsed=true]'), end('a'), end('b'), 'section_end:7:',
  '€', '\u{1F600}', '漢字', '2026-01-02T03:04:05.000001Z 01O ', '2026-01-02T03:04:05.000001Z 01E+', '2026-01-02T03:04:06.000001Z 00O ', '38;2;1;2;3m', 'é',
]

function picture(parser: LogParser) {
  return { lines: parser.screen.lines, sections: parser.screen.sections, styles: parser.screen.styles.styles }
}

describe('properties', () => {
  it('gives the same result however the bytes are cut', () => {
    for (let seed = 1; seed <= 400; seed += 1) {
      const random = new Random(seed * 7919)
      let log = random.below(3) === 0 ? '2026-01-02T03:04:05.000001Z 01O ' : ''
      for (let i = random.below(60); i > 0; i -= 1) log += random.pick(PIECES)
      const bytes = new TextEncoder().encode(log)
      const whole = new LogParser()
      whole.write(bytes)
      whole.end()
      const cut = new LogParser()
      for (let at = 0; at < bytes.length; ) {
        const size = 1 + random.below(random.pick([1, 3, 20]))
        cut.write(bytes.subarray(at, at + size))
        at += size
      }
      cut.end()
      expect(picture(cut), `seed ${seed}: ${JSON.stringify(log)}`).toEqual(picture(whole))
    }
  })

  it('never throws, and covers every line with its runs', () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const random = new Random(seed * 104729)
      const bytes = Uint8Array.from({ length: random.below(400) }, () => random.pick([random.below(256), 27, 91, 13, 10, 59, 109, 48]))
      const parser = new LogParser()
      parser.write(bytes)
      parser.end()
      for (const line of parser.screen.lines) {
        expect(line.text).not.toMatch(/[\x00-\x1f\x7f-\x9f]/)
        if (line.runs && line.text !== '') expect(line.runs[line.runs.length - 2]).toBe(line.text.length)
      }
    }
  })
})

it('takes a hundred thousand lines in well under a second or two', () => {
  const line = `${ESC}[32;1m$ step${ESC}[0m compiling src/some/module/file.cpp with options\n`
  const bytes = new TextEncoder().encode(line.repeat(100_000))
  const begun = performance.now()
  const parser = new LogParser()
  for (let at = 0; at < bytes.length; at += 65_536) parser.write(bytes.subarray(at, at + 65_536))
  parser.end()
  expect(parser.screen.lines.length).toBe(100_000)
  expect(performance.now() - begun).toBeLessThan(5000)
})
