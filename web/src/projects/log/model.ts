// What the parser makes of a job log: numbered lines with style runs, and sections over ranges of lines.

// Style runs: end position and style number in turn, covering the text; null when all of it is plain.
export type Runs = number[] | null

export interface LogLine {
  text: string
  runs: Runs
  // UTC time of the line's first byte and stream ("01E"), when the log carries them.
  time: string | null
  stream: string | null
  // Innermost section the line stands in (a section's own title line stands in it too); -1: none.
  section: number
  // The section this line is the title of; -1: none.
  titleOf: number
}

export interface LogSection {
  readonly name: string
  readonly parent: number
  readonly depth: number
  readonly startedAt: number
  endedAt: number | null
  // Index of the title line; -1 until a line came.
  title: number
  readonly collapsed: boolean
  readonly hideDuration: boolean
}
