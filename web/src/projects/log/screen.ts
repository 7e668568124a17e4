// The lines and sections of a log as they grow: does with the tokens what a terminal of endless height would do.
import { appendText, EditBuffer } from './edit_buffer'
import type { LogLine, LogSection } from './model'
import { applySgr, PLAIN, PLAIN_ID, StyleTable, type Style } from './sgr'
import type { Sink } from './tokens'

const DEEPEST_NESTING = 32
// How far above the newest line a cursor may go back (docker's and npm's multi-line progress).
const EDITABLE_LINES = 100
const TAB_STOP = 8
const AT_END = -1

export class Screen {
  readonly lines: LogLine[] = []
  readonly sections: LogSection[] = []
  readonly styles = new StyleTable()
  readonly stack: number[] = []
  // No cursor goes above a section marker.
  barrier = 0
  private firstChanged = Infinity

  touch(line: number): void {
    if (line < this.firstChanged) this.firstChanged = line
  }

  // Index of the first line that changed since the last call; Infinity: none.
  takeChanged(): number {
    const first = this.firstChanged
    this.firstChanged = Infinity
    return first
  }

  openSection(at: number, name: string, options: string): number {
    if (this.stack.length >= DEEPEST_NESTING) return -1
    const wishes = options.split(',').map((word) => word.trim())
    this.sections.push({
      name,
      parent: this.stack[this.stack.length - 1] ?? -1,
      depth: this.stack.length,
      startedAt: at,
      endedAt: null,
      title: -1,
      collapsed: wishes.includes('collapsed=true'),
      hideDuration: wishes.includes('hide_duration=true'),
    })
    this.stack.push(this.sections.length - 1)
    return this.sections.length - 1
  }

  // Closes the innermost section of that name and what was left open in it.
  closeSection(at: number, name: string): void {
    let depth = this.stack.length - 1
    while (depth >= 0 && this.sections[this.stack[depth]!]!.name !== name) depth -= 1
    if (depth < 0) return
    for (const index of this.stack.splice(depth)) {
      const section = this.sections[index]!
      section.endedAt = at
      if (section.title >= 0) this.touch(section.title)
    }
  }
}

// One stream's pen on the screen. A log without time stamps has one; else each stream (runner, stdout, stderr, services)
// has its own, because their lines come interleaved.
export class Pen implements Sink {
  pending = ''
  private style: Style = PLAIN
  private styleId = PLAIN_ID
  private line = -1 // -1: on a line that does not exist before something is written to it
  private column = AT_END
  private edit: EditBuffer | null = null
  private afterEndMarker = false
  private titleFor = -1
  private time: string | null = null

  constructor(
    private readonly screen: Screen,
    private readonly stream: string | null,
  ) {}

  // A time-stamped log says at the start of a line whether it continues the stream's last one.
  beginStampedLine(time: string | null): void {
    this.leaveLine()
    if (this.titleFor >= 0) this.materialise()
    this.leaveLine()
    this.time = time
    this.afterEndMarker = false
  }

  endStampedLine(begun: boolean): void {
    if (begun && this.line < 0 && !this.afterEndMarker && this.titleFor < 0) this.materialise()
  }

  text(text: string): void {
    if (this.line < 0) this.materialise()
    const line = this.screen.lines[this.line]!
    this.screen.touch(this.line)
    if (!this.edit && (this.column === AT_END || (this.column === 0 && line.text === ''))) {
      this.column = AT_END
      appendText(line, text, this.styleId)
      return
    }
    const edit = this.editing(line)
    this.column = edit.write(this.column === AT_END ? edit.length : this.column, text, this.styleId)
  }

  control(code: string): void {
    if (code === '\n') this.newLine()
    else if (code === '\r') this.column = this.line < 0 ? AT_END : 0
    else if (this.line >= 0 || code === '\t') this.move(code)
  }

  csi(parameters: string, final: string): void {
    if (final === 'm') {
      if (/^[\d;:]*$/.test(parameters)) this.setStyle(applySgr(this.style, parameters))
      return
    }
    if (!/^[\d;]*$/.test(parameters)) return
    const count = Math.max(1, Math.min(Number(parameters.split(';')[0] || '1'), 10_000))
    switch (final) {
      case 'K': this.eraseInLine(Number(parameters || '0')); break
      case 'J': if (Number(parameters || '0') === 0) this.eraseBelow(); break
      case 'C': this.moveColumn(count); break
      case 'D': this.moveColumn(-count); break
      case 'G': this.setColumn(count - 1); break
      case 'A': this.moveRow(-count, false); break
      case 'F': this.moveRow(-count, true); break
      case 'B': this.moveRow(count, false); break
      case 'E': this.moveRow(count, true); break
      default: break
    }
  }

  sectionStart(at: number, name: string, options: string): void {
    this.breakBeforeMarker()
    if (this.titleFor >= 0) {
      this.materialise()
      this.leaveLine()
    }
    this.afterEndMarker = false
    this.screen.barrier = this.screen.lines.length
    this.titleFor = this.screen.openSection(at, name, options)
  }

  sectionEnd(at: number, name: string): void {
    this.breakBeforeMarker()
    this.screen.closeSection(at, name)
    if (this.titleFor >= 0 && this.screen.sections[this.titleFor]!.endedAt !== null) this.titleFor = -1
    this.screen.barrier = this.screen.lines.length
    this.afterEndMarker = this.titleFor < 0
  }

  // Brings the line under the cursor up to date; the cursor stays in it.
  sync(): void {
    if (this.edit && this.line >= 0) this.edit.store(this.screen.lines[this.line]!)
  }

  private setStyle(style: Style): void {
    this.style = style
    this.styleId = this.screen.styles.id(style)
  }

  private materialise(): void {
    const { lines, sections, stack } = this.screen
    const title = this.titleFor >= 0 && sections[this.titleFor]!.endedAt === null ? this.titleFor : -1
    this.line = lines.length
    lines.push({
      text: '',
      runs: null,
      time: this.time,
      stream: this.stream,
      section: title >= 0 ? title : (stack[stack.length - 1] ?? -1),
      titleOf: title,
    })
    if (title >= 0) sections[title]!.title = this.line
    this.titleFor = -1
    this.afterEndMarker = false
    this.column = AT_END
    this.screen.touch(this.line)
  }

  private leaveLine(): void {
    this.sync()
    this.edit = null
    this.line = -1
    this.column = AT_END
  }

  private goTo(line: number, column: number): void {
    this.leaveLine()
    if (line >= this.screen.lines.length) return
    this.line = line
    this.column = column
  }

  private newLine(): void {
    if (this.line < 0) {
      if (!this.afterEndMarker) this.materialise()
      this.afterEndMarker = false
      this.leaveLine()
      return
    }
    // After the cursor went up, a line feed leads to the line that is there already.
    this.goTo(this.line + 1, 0)
  }

  // A marker stands for itself: what was written before it on the line stays a line, an emptied line goes.
  private breakBeforeMarker(): void {
    this.sync()
    const { lines } = this.screen
    const last = this.line >= 0 && this.line === lines.length - 1 ? lines[this.line]! : null
    if (last && last.text === '' && last.titleOf < 0) {
      this.screen.touch(this.line)
      lines.pop()
      this.edit = null
    }
    this.leaveLine()
  }

  private editing(line: LogLine): EditBuffer {
    this.edit ??= new EditBuffer(line)
    return this.edit
  }

  private currentColumn(edit: EditBuffer): number {
    return this.column === AT_END ? edit.length : this.column
  }

  private move(code: string): void {
    if (code === '\b') {
      this.moveColumn(-1)
      return
    }
    const line = this.line >= 0 ? this.screen.lines[this.line]! : null
    if (!line || (this.column === AT_END && !this.edit)) {
      const width = line ? line.text.length : 0
      this.text(' '.repeat(TAB_STOP - (width % TAB_STOP)))
      return
    }
    const edit = this.editing(line)
    this.column = edit.clampColumn((Math.floor(this.currentColumn(edit) / TAB_STOP) + 1) * TAB_STOP)
  }

  private moveColumn(by: number): void {
    if (this.line < 0) {
      if (by < 0) return
      this.materialise()
    }
    const edit = this.editing(this.screen.lines[this.line]!)
    this.column = edit.clampColumn(this.currentColumn(edit) + by)
  }

  private setColumn(column: number): void {
    if (this.line < 0) {
      if (column === 0) return
      this.materialise()
    }
    this.column = this.editing(this.screen.lines[this.line]!).clampColumn(column)
  }

  private eraseInLine(mode: number): void {
    if (this.line < 0) return
    const line = this.screen.lines[this.line]!
    this.screen.touch(this.line)
    if (this.column === 0 && mode !== 1) {
      this.edit = null
      line.text = ''
      line.runs = null
      return
    }
    if (this.column === AT_END && mode === 0) return
    const edit = this.editing(line)
    const column = this.currentColumn(edit)
    if (mode === 0) edit.cut(column)
    else if (mode === 1) edit.blankUpTo(column + 1)
    else if (mode === 2) {
      edit.cut(0)
      this.column = column
    }
  }

  private eraseBelow(): void {
    if (this.line < 0) return
    this.eraseInLine(0)
    const { lines } = this.screen
    for (let i = this.line + 1; i < lines.length && i <= this.line + EDITABLE_LINES; i += 1) {
      const line = lines[i]!
      if (line.stream !== this.stream) continue
      line.text = ''
      line.runs = null
    }
  }

  private moveRow(by: number, toStart: boolean): void {
    const { lines } = this.screen
    const from = this.line < 0 ? lines.length : this.line
    let target = from
    const step = Math.sign(by)
    const lowest = Math.max(this.screen.barrier, lines.length - EDITABLE_LINES)
    for (let left = Math.abs(by); left > 0; left -= 1) {
      const next = target + step
      if (next < lowest || next > lines.length) break
      if (next < lines.length && lines[next]!.stream !== this.stream) break
      target = next
    }
    if (target === from) return
    let column = 0
    if (!toStart && this.line >= 0) column = this.currentColumn(this.editing(lines[this.line]!))
    this.goTo(target, column)
  }
}
