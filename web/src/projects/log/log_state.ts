// What a job log view works on: the growing log, which of its sections are open, what was found in it. The lines
// themselves are not reactive (there may be a hundred thousand); `version` counts their changes.
import { computed, onBeforeUnmount, ref, shallowRef, type Ref } from 'vue'
import { followTrace } from './follow_trace'
import { Layout } from './layout'
import type { LogLine, LogSection } from './model'
import { LogParser } from './parser'
import { compile, MOST_MATCHES, search, type Match } from './search'
import type { Hit } from './segments'
import { LogStyleSheet } from './style_sheet'

export function useJobLog(url: string, onStatus: (status: string) => void) {
  const version = ref(0)
  const complete = ref(false)
  const trouble = ref('')
  const stamped = ref(false)
  const sheet = new LogStyleSheet()
  let parser = new LogParser()
  let layout = new Layout(parser.screen.lines, parser.screen.sections)
  const found = useSearch(() => parser.screen.lines)

  function changed(first: number): void {
    if (first === Infinity) return
    sheet.update(parser.screen.styles.styles)
    layout.update(Math.min(first, parser.screen.lines.length))
    found.grew(first)
    stamped.value = parser.stamped
    version.value += 1
  }

  const stop = followTrace(url, {
    bytes(start, bytes) {
      if (start === 0 && parser.screen.lines.length > 0) {
        parser = new LogParser()
        layout = new Layout(parser.screen.lines, parser.screen.sections)
        found.grew(0)
        version.value += 1
      }
      parser.write(bytes)
      changed(parser.screen.takeChanged())
    },
    status: onStatus,
    complete() {
      parser.end()
      changed(parser.screen.takeChanged())
      complete.value = true
    },
    trouble: (text) => (trouble.value = text),
  })
  onBeforeUnmount(() => {
    stop()
    sheet.remove()
  })

  return {
    version,
    complete,
    trouble,
    stamped,
    found,
    lines: (): readonly LogLine[] => parser.screen.lines,
    sections: (): readonly LogSection[] => parser.screen.sections,
    layout: (): Layout => layout,
    classOf: (style: number) => sheet.className(style),
    lineCount: computed(() => (version.value, parser.screen.lines.length)),
    hasSections: computed(() => (version.value, parser.screen.sections.some((section) => section.title >= 0))),
    setCollapsed(section: number, collapsed: boolean) {
      layout.setCollapsed(section, collapsed)
      version.value += 1
    },
    setAllCollapsed(collapsed: boolean) {
      layout.setAllCollapsed(collapsed)
      version.value += 1
    },
    reveal(line: number) {
      layout.reveal(line)
      version.value += 1
    },
    relaid: () => (version.value += 1),
  }
}

export type JobLogState = ReturnType<typeof useJobLog>

function useSearch(lines: () => readonly LogLine[]) {
  const words = ref('')
  const current = ref(-1)
  const matches: Ref<Match[]> = shallowRef([])
  const byLine = computed(() => {
    const map = new Map<number, Hit[]>()
    matches.value.forEach(({ line, start, end }, index) => {
      const hits = map.get(line) ?? []
      hits.push({ start, end, current: index === current.value })
      map.set(line, hits)
    })
    return map
  })

  return {
    words,
    current,
    matches,
    hitsOf: (line: number): readonly Hit[] => byLine.value.get(line) ?? [],
    full: computed(() => matches.value.length >= MOST_MATCHES),
    look(text: string, from: number) {
      words.value = text
      matches.value = search(lines(), compile(text))
      const next = matches.value.findIndex((match) => match.line >= from)
      current.value = matches.value.length === 0 ? -1 : Math.max(0, next)
    },
    step(by: number) {
      const count = matches.value.length
      if (count > 0) current.value = (current.value + by + count) % count
    },
    grew(first: number) {
      if (words.value === '') return
      matches.value = search(lines(), compile(words.value), first, matches.value)
      if (current.value >= matches.value.length) current.value = matches.value.length - 1
    },
  }
}
