// Search in the lines of a log: plain text, letter case ignored unless the words hold a capital. Pure.
import type { LogLine } from './model'

export interface Match {
  readonly line: number
  readonly start: number
  readonly end: number
}

export const MOST_MATCHES = 10_000

export function compile(words: string): RegExp | null {
  if (words === '') return null
  const literal = words.replace(/[.*+?^${}()|[\]\\/-]/g, (c) => (c === '-' ? '\\x2d' : `\\${c}`))
  return new RegExp(literal, /\p{Lu}/u.test(words) ? 'gu' : 'giu')
}

export function matchesIn(text: string, pattern: RegExp): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = []
  for (const match of text.matchAll(pattern)) found.push({ start: match.index!, end: match.index! + match[0].length })
  return found
}

// Matches in lines from `first` on, put after those of `before` that stand above it.
export function search(lines: readonly LogLine[], pattern: RegExp | null, first = 0, before: readonly Match[] = []): Match[] {
  if (!pattern) return []
  const matches = before.filter((match) => match.line < first)
  for (let line = first; line < lines.length && matches.length < MOST_MATCHES; line += 1) {
    for (const { start, end } of matchesIn(lines[line]!.text, pattern)) {
      matches.push({ line, start, end })
      if (matches.length >= MOST_MATCHES) break
    }
  }
  return matches
}
