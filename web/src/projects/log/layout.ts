// Which lines are shown (sections can be collapsed) and at which row each begins (long lines wrap): what virtual scrolling
// needs to know about a hundred thousand lines without asking the browser. Pure.
import type { LogLine, LogSection } from './model'
import { cellsOf } from './width'

// A line is shown up to here; the rest is in the raw log.
export const LONGEST_SHOWN = 20_000

export class Layout {
  // Indexes of the visible lines, and the row where each begins; `tops` has one more: all rows.
  readonly visible: number[] = []
  readonly tops: number[] = [0]
  private columns = 80
  private readonly collapsed = new Set<number>()
  private readonly known = new Set<number>() // sections whose own wish was obeyed once
  private readonly measured = new Map<number, number>()

  constructor(
    private readonly lines: readonly LogLine[],
    private readonly sections: readonly LogSection[],
  ) {}

  get rows(): number {
    return this.tops[this.tops.length - 1]!
  }

  // Lines from `first` on have changed.
  update(first: number): void {
    for (let i = this.known.size; i < this.sections.length; i += 1) {
      this.known.add(i)
      if (this.sections[i]!.collapsed) this.collapsed.add(i)
    }
    for (const line of [...this.measured.keys()]) if (line >= first) this.measured.delete(line)
    this.rebuild(first)
  }

  setColumns(columns: number): void {
    if (columns === this.columns || columns < 1) return
    this.columns = columns
    this.measured.clear()
    this.rebuild(0)
  }

  isCollapsed(section: number): boolean {
    return this.collapsed.has(section)
  }

  setCollapsed(section: number, collapsed: boolean): void {
    if (collapsed) this.collapsed.add(section)
    else this.collapsed.delete(section)
    this.rebuild(Math.max(0, this.sections[section]!.title))
  }

  setAllCollapsed(collapsed: boolean): void {
    this.collapsed.clear()
    if (collapsed) this.sections.forEach((_, index) => this.collapsed.add(index))
    this.rebuild(0)
  }

  // Opens every section around the line.
  reveal(line: number): void {
    let section = this.surrounding(line)
    let outermost = -1
    while (section >= 0) {
      if (this.collapsed.delete(section)) outermost = section
      section = this.sections[section]!.parent
    }
    if (outermost >= 0) this.rebuild(Math.max(0, this.sections[outermost]!.title))
  }

  // The browser found that a line takes another number of rows than was guessed. Answers whether that changed anything.
  setMeasured(line: number, rows: number): boolean {
    const at = this.positionOf(line)
    if (at < 0 || this.tops[at + 1]! - this.tops[at]! === rows) return false
    this.measured.set(line, rows)
    this.rebuild(line)
    return true
  }

  // Position in `visible` of a line; -1: hidden.
  positionOf(line: number): number {
    const at = lowerBound(this.visible, line)
    return this.visible[at] === line ? at : -1
  }

  // Position in `visible` of the line that covers a row.
  positionAtRow(row: number): number {
    let at = lowerBound(this.tops, row)
    if (at >= this.tops.length || this.tops[at]! > row) at -= 1
    return Math.max(0, Math.min(at, this.visible.length - 1))
  }

  private rowsOf(index: number): number {
    const measured = this.measured.get(index)
    if (measured !== undefined) return measured
    const text = this.lines[index]!.text
    const cells = cellsOf(text.length > LONGEST_SHOWN ? text.slice(0, LONGEST_SHOWN) : text)
    const note = text.length > LONGEST_SHOWN ? 1 : 0
    return Math.max(1, Math.ceil(cells / this.columns)) + note
  }

  private surrounding(index: number): number {
    const line = this.lines[index]!
    return line.titleOf >= 0 ? this.sections[line.titleOf]!.parent : line.section
  }

  private rebuild(first: number): void {
    const keep = lowerBound(this.visible, first)
    this.visible.length = keep
    this.tops.length = keep + 1
    let top = this.tops[keep]!
    const hidden = this.hiddenSections()
    for (let i = first; i < this.lines.length; i += 1) {
      const section = this.surrounding(i)
      if (section >= 0 && hidden[section]) continue
      top += this.rowsOf(i)
      this.visible.push(i)
      this.tops.push(top)
    }
  }

  private hiddenSections(): boolean[] {
    const hidden: boolean[] = []
    this.sections.forEach((section, index) => {
      const closed = this.collapsed.has(index) && section.title >= 0
      hidden.push(closed || (section.parent >= 0 && hidden[section.parent]!))
    })
    return hidden
  }
}

// The first position whose value is not below `wanted`, in an ascending list.
function lowerBound(list: readonly number[], wanted: number): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (list[middle]! < wanted) low = middle + 1
    else high = middle
  }
  return low
}
