// How many cells of a fixed-width font a text takes: exact for ASCII, a good guess for the rest (the view measures).

const ASCII = /^[\x20-\x7e]*$/
const NO_WIDTH = /^[\p{M}\p{Cf}]$/u

function isWide(code: number): boolean {
  return (
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd)
  )
}

export function isAscii(text: string): boolean {
  return ASCII.test(text)
}

export function cellsOf(text: string): number {
  if (isAscii(text)) return text.length
  let cells = 0
  for (const character of text) {
    if (isWide(character.codePointAt(0)!)) cells += 2
    else if (!NO_WIDTH.test(character)) cells += 1
  }
  return cells
}
