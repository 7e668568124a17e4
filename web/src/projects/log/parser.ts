// The incremental parser of a raw job log: bytes in, in chunks of any size, lines and sections out. Never throws, whatever
// the bytes; the result does not depend on how they were cut.
import { Pen, Screen } from './screen'
import { tokenize } from './tokens'

// `2026-01-02T03:04:05.000001Z 01O ` (or `+` at the end: the line continues the stream's last one).
const STAMP = /^(\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d\.\d{6}Z) ([0-9a-f]{2}[EO])([+ ])$/
const STAMP_LENGTH = 32
const NO_STREAM = ''

export class LogParser {
  readonly screen = new Screen()
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  private readonly pens = new Map<string, Pen>()
  private mode: 'unknown' | 'plain' | 'stamped' = 'unknown'
  private held = ''
  private atLineStart = true
  private lineBegun = false
  private pen: Pen = this.penOf(NO_STREAM)

  get stamped(): boolean {
    return this.mode === 'stamped'
  }

  write(bytes: Uint8Array): void {
    this.accept(this.decoder.decode(bytes, { stream: true }), false)
  }

  // The log is complete: what was waiting for its other half is taken as it is.
  end(): void {
    this.accept(this.decoder.decode(), true)
    for (const pen of this.pens.values()) {
      pen.pending = tokenize(pen.pending, true, pen)
      pen.sync()
    }
  }

  private penOf(stream: string): Pen {
    let pen = this.pens.get(stream)
    if (!pen) {
      pen = new Pen(this.screen, stream === NO_STREAM ? null : stream)
      this.pens.set(stream, pen)
    }
    return pen
  }

  private accept(chunk: string, last: boolean): void {
    const text = this.held + chunk
    this.held = ''
    if (this.mode === 'unknown') {
      const decided = text.length >= STAMP_LENGTH || text.includes('\n') || last
      if (!decided) {
        this.held = text
        return
      }
      this.mode = STAMP.test(text.slice(0, STAMP_LENGTH)) ? 'stamped' : 'plain'
    }
    if (this.mode === 'plain') this.feed(text)
    else this.acceptStamped(text, last)
    for (const pen of this.pens.values()) pen.sync()
  }

  private feed(text: string): void {
    this.pen.pending = tokenize(this.pen.pending + text, false, this.pen)
  }

  private acceptStamped(text: string, last: boolean): void {
    let at = 0
    while (at < text.length) {
      const feedAt = text.indexOf('\n', at)
      const end = feedAt < 0 ? text.length : feedAt
      if (this.atLineStart) {
        if (feedAt < 0 && !last && end - at < STAMP_LENGTH) {
          this.held = text.slice(at)
          return
        }
        at = this.beginLine(text, at, end)
      }
      this.feed(text.slice(at, end))
      if (feedAt < 0) return
      this.endLine()
      at = feedAt + 1
    }
  }

  private beginLine(text: string, at: number, end: number): number {
    this.atLineStart = false
    const header = end - at >= STAMP_LENGTH ? STAMP.exec(text.slice(at, at + STAMP_LENGTH)) : null
    this.pen = this.penOf(header ? header[2]! : NO_STREAM)
    this.lineBegun = !header || header[3] === ' '
    if (this.lineBegun) {
      this.flushPending()
      this.pen.beginStampedLine(header ? header[1]! : null)
    }
    return header ? at + STAMP_LENGTH : at
  }

  private endLine(): void {
    this.atLineStart = true
    this.pen.endStampedLine(this.lineBegun && this.pen.pending === '')
  }

  // A line feed ends whatever an escape sequence or a marker was waiting for.
  private flushPending(): void {
    this.pen.pending = tokenize(this.pen.pending, true, this.pen)
  }
}

export function parseLog(text: string): LogParser {
  const parser = new LogParser()
  parser.write(new TextEncoder().encode(text))
  parser.end()
  return parser
}
