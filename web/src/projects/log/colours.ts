// Colours of the log that stay readable: every text colour is moved towards black or white until it stands out from what
// is behind it by the contrast that WCAG AA asks (4.5). Pure; colours.test.ts proves it for all pairs of the palette.
import { DEFAULT_COLOUR, isTrueColour, trueColourParts, type Style } from './sgr'

export type Rgb = readonly [number, number, number]

export interface LogTheme {
  readonly background: Rgb
  readonly text: Rgb
  readonly basic: readonly Rgb[]; // the 16 named colours
}

export const LIGHT: LogTheme = {
  background: [251, 252, 251],
  text: [22, 33, 29],
  basic: [
    [22, 33, 29], [173, 31, 26], [20, 105, 46], [124, 82, 0], [27, 84, 196], [140, 40, 140], [0, 104, 120], [88, 98, 93],
    [80, 92, 86], [200, 38, 34], [22, 122, 56], [140, 96, 0], [37, 99, 225], [168, 46, 166], [4, 116, 136], [64, 76, 70],
  ],
}

export const DARK: LogTheme = {
  background: [10, 16, 14],
  text: [221, 233, 227],
  basic: [
    [128, 143, 136], [250, 120, 114], [104, 206, 132], [226, 182, 84], [122, 170, 255], [226, 140, 224], [92, 204, 210], [208, 219, 213],
    [146, 161, 154], [255, 152, 146], [140, 226, 162], [242, 206, 118], [154, 194, 255], [240, 168, 238], [130, 226, 232], [244, 249, 246],
  ],
}

export const WANTED_CONTRAST = 4.5

function channel(value: number): number {
  const part = value / 255
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
}

export function luminance(colour: Rgb): number {
  return 0.2126 * channel(colour[0]) + 0.7152 * channel(colour[1]) + 0.0722 * channel(colour[2])
}

export function contrast(a: Rgb, b: Rgb): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
  return (high + 0.05) / (low + 0.05)
}

function mix(from: Rgb, to: Rgb, share: number): Rgb {
  const part = (i: 0 | 1 | 2) => Math.round(from[i] + (to[i] - from[i]) * share)
  return [part(0), part(1), part(2)]
}

// `colour`, or the nearest mixture of it with black or white that can be read on `background`.
export function readable(colour: Rgb, background: Rgb): Rgb {
  const black: Rgb = [0, 0, 0]
  const white: Rgb = [255, 255, 255]
  const goal = contrast(white, background) >= contrast(black, background) ? white : black
  for (let step = 0; step < 20; step += 1) {
    const candidate = mix(colour, goal, step / 20)
    if (contrast(candidate, background) >= WANTED_CONTRAST) return candidate
  }
  return goal
}

function paletteColour(index: number, theme: LogTheme): Rgb {
  if (index < 16) return theme.basic[index]!
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10
    return [grey, grey, grey]
  }
  const level = (digit: number) => (digit === 0 ? 0 : 55 + digit * 40)
  const cube = index - 16
  return [level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)]
}

function resolve(colour: number, theme: LogTheme, otherwise: Rgb): Rgb {
  if (colour === DEFAULT_COLOUR) return otherwise
  return isTrueColour(colour) ? trueColourParts(colour) : paletteColour(colour, theme)
}

export interface Painted {
  readonly text: Rgb
  readonly background: Rgb | null; // null: the log's own
}

export function paint(style: Style, theme: LogTheme): Painted {
  let text = resolve(style.fg, theme, theme.text)
  let background = resolve(style.bg, theme, theme.background)
  if (style.inverse) [text, background] = [background, text]
  const shown = style.inverse || style.bg !== DEFAULT_COLOUR
  if (style.dim) text = mix(text, background, 0.35)
  return { text: readable(text, background), background: shown ? background : null }
}

export function css(colour: Rgb): string {
  return `rgb(${colour[0]} ${colour[1]} ${colour[2]})`
}

// The declarations of one style in one theme.
export function declarations(style: Style, theme: LogTheme): string {
  const painted = paint(style, theme)
  const lines = [`color:${css(painted.text)}`]
  if (painted.background) lines.push(`background-color:${css(painted.background)}`)
  if (style.bold) lines.push('font-weight:700')
  if (style.italic) lines.push('font-style:italic')
  const decoration = [style.underline ? 'underline' : '', style.strike ? 'line-through' : ''].filter(Boolean).join(' ')
  if (decoration) lines.push(`text-decoration:${decoration}`)
  return lines.join(';')
}
