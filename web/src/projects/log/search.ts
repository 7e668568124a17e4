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

// Matches in lines from `first` on, put after those of `before` that stand above it.
export function search(lines: readonly LogLine[], pattern: RegExp | null, first = 0, before: readonly Match[] = []): Match[] {
  if (!pattern) return []
  const matches = before.filter((match) => match.line < first)
  for (let line = first; line < lines.length; line += 1) {
    for (const found of lines[line]!.text.matchAll(pattern)) {
      if (matches.length >= MOST_MATCHES) return matches
      matches.push({ line, start: found.index!, end: found.index! + found[0].length })
    }
  }
  return matches
}
