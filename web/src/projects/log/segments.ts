// Cuts a line into the pieces that the view renders as text: each of one style, inside or outside a link and a search hit.
import { LONGEST_SHOWN } from './layout'
import { findLinks } from './links'
import type { LogLine } from './model'
import { PLAIN_ID } from './sgr'

export interface Segment {
  readonly text: string
  readonly style: number
  readonly href: string | null
  // 0: not found by the search, 1: found, 2: the hit that stands selected.
  readonly hit: 0 | 1 | 2
}

export interface Hit {
  readonly start: number
  readonly end: number
  readonly current: boolean
}

export function segmentsOf(line: LogLine, hits: readonly Hit[] = []): Segment[] {
  const text = line.text.length > LONGEST_SHOWN ? line.text.slice(0, LONGEST_SHOWN) : line.text
  const links = findLinks(text)
  if (links.length === 0 && hits.length === 0 && line.runs === null) {
    return text === '' ? [] : [{ text, style: PLAIN_ID, href: null, hit: 0 }]
  }
  const cuts = new Set<number>([text.length])
  for (let i = 0; line.runs && i < line.runs.length; i += 2) cuts.add(line.runs[i]!)
  for (const { start, end } of [...links, ...hits]) cuts.add(start).add(end)
  const segments: Segment[] = []
  const linkAt = cursor(links)
  const hitAt = cursor(hits)
  let start = 0
  let run = 0
  for (const end of [...cuts].sort((a, b) => a - b)) {
    if (end <= start || end > text.length) continue
    while (line.runs && run < line.runs.length && line.runs[run]! <= start) run += 2
    const hit = hitAt(start)
    segments.push({
      text: text.slice(start, end),
      style: line.runs?.[run + 1] ?? PLAIN_ID,
      href: linkAt(start)?.href ?? null,
      hit: hit ? (hit.current ? 2 : 1) : 0,
    })
    start = end
  }
  return segments
}

// Answers, for ascending positions, which of the ascending ranges covers each.
function cursor<Range extends { start: number; end: number }>(ranges: readonly Range[]): (at: number) => Range | null {
  let next = 0
  return (at) => {
    while (next < ranges.length && ranges[next]!.end <= at) next += 1
    const range = ranges[next]
    return range && range.start <= at ? range : null
  }
}
