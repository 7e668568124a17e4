// Text attributes of a job log (ANSI "select graphic rendition"), interned: a line keeps small style numbers,
// and each distinct combination exists once. Pure.

export const DEFAULT_COLOUR = -1
const TRUE_COLOUR = 0x1000000; // marks 0xRRGGBB; smaller values are indexes of the 256-colour palette

export interface Style {
  readonly fg: number
  readonly bg: number
  readonly bold: boolean
  readonly dim: boolean
  readonly italic: boolean
  readonly underline: boolean
  readonly strike: boolean
  readonly inverse: boolean
}

export const PLAIN: Style = Object.freeze({
  fg: DEFAULT_COLOUR,
  bg: DEFAULT_COLOUR,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  inverse: false,
})

export const PLAIN_ID = 0

// A hostile log could name millions of colour pairs, and each becomes a CSS rule.
const MOST_STYLES = 2048

export class StyleTable {
  readonly styles: Style[] = [PLAIN]
  private readonly ids = new Map<string, number>([[key(PLAIN), PLAIN_ID]])

  id(style: Style): number {
    const wanted = key(style)
    const known = this.ids.get(wanted)
    if (known !== undefined) return known
    if (this.styles.length >= MOST_STYLES) return PLAIN_ID
    const id = this.styles.length
    this.styles.push(style)
    this.ids.set(wanted, id)
    return id
  }
}

function key(s: Style): string {
  const flags =
    (s.bold ? 1 : 0) | (s.dim ? 2 : 0) | (s.italic ? 4 : 0) | (s.underline ? 8 : 0) | (s.strike ? 16 : 0) | (s.inverse ? 32 : 0)
  return `${s.fg},${s.bg},${flags}`
}

type Rgb = readonly [number, number, number]

export function isTrueColour(colour: number): boolean {
  return colour >= TRUE_COLOUR
}

export function trueColour(r: number, g: number, b: number): number {
  return TRUE_COLOUR | (r << 16) | (g << 8) | b
}

export function trueColourParts(colour: number): Rgb {
  return [(colour >> 16) & 255, (colour >> 8) & 255, colour & 255]
}

// Reads the colour of `38;…` / `48;…` starting at `at` (the 2 or 5); answers the colour and the next position.
function extendedColour(codes: readonly number[], at: number): [number | null, number] {
  const kind = codes[at]
  if (kind === 5) {
    const index = codes[at + 1] ?? 0
    return [index <= 255 ? index : null, at + 2]
  }
  if (kind === 2) {
    // Four bits a channel are all an eye tells apart in a log, and keep the number of styles small.
    const [r, g, b] = [codes[at + 1] ?? 0, codes[at + 2] ?? 0, codes[at + 3] ?? 0].map((part) => Math.min(part, 255) & 0xf0)
    return [trueColour(r!, g!, b!), at + 4]
  }
  return [null, at + 1]
}

// `38:2::R:G:B`, `38:2:R:G:B`, `38:5:N`, `4:3`: one attribute whose parts are separated by colons.
function applyColonForm(style: Style, text: string): Style {
  const parts = text.split(':').map((part) => (part === '' ? 0 : Number(part)))
  if (parts[0] === 4) return { ...style, underline: parts[1] !== 0 }
  if (parts[0] !== 38 && parts[0] !== 48) return style
  const codes = parts[1] === 2 && parts.length > 5 ? [2, ...parts.slice(3)] : parts.slice(1)
  const [colour] = extendedColour(codes, 0)
  if (colour === null) return style
  return parts[0] === 38 ? { ...style, fg: colour } : { ...style, bg: colour }
}

function applyCode(style: Style, code: number): Style {
  switch (code) {
    case 0: return PLAIN
    case 1: return { ...style, bold: true }
    case 2: return { ...style, dim: true }
    case 3: return { ...style, italic: true }
    case 4: case 21: return { ...style, underline: true }
    case 7: return { ...style, inverse: true }
    case 9: return { ...style, strike: true }
    case 22: return { ...style, bold: false, dim: false }
    case 23: return { ...style, italic: false }
    case 24: return { ...style, underline: false }
    case 27: return { ...style, inverse: false }
    case 29: return { ...style, strike: false }
    case 39: return { ...style, fg: DEFAULT_COLOUR }
    case 49: return { ...style, bg: DEFAULT_COLOUR }
    default:
      if (code >= 30 && code <= 37) return { ...style, fg: code - 30 }
      if (code >= 40 && code <= 47) return { ...style, bg: code - 40 }
      if (code >= 90 && code <= 97) return { ...style, fg: code - 82 }
      if (code >= 100 && code <= 107) return { ...style, bg: code - 92 }
      return style
  }
}

// The style after `ESC [ parameters m`. What is not known changes nothing.
export function applySgr(style: Style, parameters: string): Style {
  const words = parameters.split(';')
  const codes = words.map((word) => (word === '' ? 0 : Number(word)))
  let out = style
  for (let i = 0; i < words.length; ) {
    const word = words[i]!
    if (word.includes(':')) {
      out = applyColonForm(out, word)
      i += 1
      continue
    }
    const code = codes[i]!
    i += 1
    if (code === 38 || code === 48 || code === 58) {
      const [colour, next] = extendedColour(codes, i)
      i = next
      if (colour !== null && code === 38) out = { ...out, fg: colour }
      if (colour !== null && code === 48) out = { ...out, bg: colour }
    } else {
      out = applyCode(out, code)
    }
  }
  return out
}
