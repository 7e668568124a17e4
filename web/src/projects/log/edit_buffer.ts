// One line of the log while a cursor moves inside it: a cell a character, so that a million overwrites cost a million
// steps and not a million copies of the line. Lines that are only appended to never need it.
import { PLAIN_ID } from './sgr'
import type { LogLine, Runs } from './model'

// Cursor movement may not invent text without bound.
const FARTHEST_COLUMN = 2000

export class EditBuffer {
  private readonly cells: string[]
  private readonly styles: number[] = []

  constructor(line: LogLine) {
    this.cells = Array.from(line.text)
    let unit = 0
    let run = 0
    for (const cell of this.cells) {
      while (line.runs && run < line.runs.length && line.runs[run]! <= unit) run += 2
      this.styles.push(line.runs?.[run + 1] ?? PLAIN_ID)
      unit += cell.length
    }
  }

  get length(): number {
    return this.cells.length
  }

  // Answers the column after the text.
  write(column: number, text: string, style: number): number {
    this.pad(column)
    let at = Math.min(column, this.cells.length)
    for (const cell of text) {
      this.cells[at] = cell
      this.styles[at] = style
      at += 1
    }
    return at
  }

  blankUpTo(column: number): void {
    const end = Math.min(column, this.cells.length)
    for (let i = 0; i < end; i += 1) {
      this.cells[i] = ' '
      this.styles[i] = PLAIN_ID
    }
  }

  cut(column: number): void {
    if (column >= this.cells.length) return
    this.cells.length = column
    this.styles.length = column
  }

  clampColumn(column: number): number {
    return Math.max(0, Math.min(column, Math.max(this.cells.length, FARTHEST_COLUMN)))
  }

  store(line: LogLine): void {
    const runs: number[] = []
    let unit = 0
    let coloured = false
    for (let i = 0; i < this.cells.length; i += 1) {
      unit += this.cells[i]!.length
      const style = this.styles[i]!
      coloured ||= style !== PLAIN_ID
      if (runs.length > 0 && runs[runs.length - 1] === style) runs[runs.length - 2] = unit
      else runs.push(unit, style)
    }
    line.text = this.cells.join('')
    line.runs = coloured ? runs : null
  }

  private pad(column: number): void {
    while (this.cells.length < Math.min(column, FARTHEST_COLUMN)) {
      this.cells.push(' ')
      this.styles.push(PLAIN_ID)
    }
  }
}

export function appendText(line: LogLine, text: string, style: number): void {
  const before = line.text.length
  line.text += text
  if (style === PLAIN_ID && line.runs === null) return
  const runs: NonNullable<Runs> = line.runs ?? (before > 0 ? [before, PLAIN_ID] : [])
  if (runs.length > 0 && runs[runs.length - 1] === style) runs[runs.length - 2] = line.text.length
  else runs.push(line.text.length, style)
  line.runs = runs
}
