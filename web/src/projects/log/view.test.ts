import { describe, expect, it } from 'vitest'
import { contrast, DARK, LIGHT, paint, WANTED_CONTRAST } from './colours'
import { FASTEST_MS, Pace, SLOWEST_MS } from './follow'
import { Layout, LONGEST_SHOWN } from './layout'
import { findLinks } from './links'
import { parseLog } from './parser'
import { Random } from './random_for_test'
import { compile, search } from './search'
import { segmentsOf } from './segments'
import { PLAIN, trueColour } from './sgr'
import { cellsOf } from './width'

const ESC = '\x1b'

describe('colours', () => {
  it('can be read, every text colour on every background, in both themes', () => {
    const random = new Random(42)
    const colours = [-1, ...Array.from({ length: 256 }, (_, i) => i)]
    for (let i = 0; i < 200; i += 1) colours.push(trueColour(random.below(256), random.below(256), random.below(256)))
    for (const theme of [LIGHT, DARK]) {
      for (const fg of colours) {
        for (const bg of [-1, random.pick(colours), random.pick(colours), random.below(16)]) {
          const style = { ...PLAIN, fg, bg, dim: random.below(4) === 0, inverse: random.below(4) === 0 }
          const painted = paint(style, theme)
          expect(contrast(painted.text, painted.background ?? theme.background)).toBeGreaterThanOrEqual(WANTED_CONTRAST)
        }
      }
    }
  })

  it('keeps named colours as chosen: they are readable by themselves', () => {
    for (const theme of [LIGHT, DARK])
      theme.basic.forEach((colour, fg) => expect(paint({ ...PLAIN, fg }, theme).text).toEqual(colour))
  })
})

describe('layout', () => {
  const marked = (name: string, body: string, options = '') =>
    `section_start:1:${name}${options}\r${ESC}[0K${body}section_end:2:${name}\r${ESC}[0K`

  it('hides the lines of collapsed sections, and shows their titles', () => {
    const { lines, sections } = parseLog(`top\n${marked('a', `A\n1\n${marked('b', 'B\n2\n', '[collapsed=true]')}3\n`)}end\n`).screen
    const layout = new Layout(lines, sections)
    layout.update(0)
    const shown = () => layout.visible.map((index) => lines[index]!.text)
    expect(shown()).toEqual(['top', 'A', '1', 'B', '3', 'end'])
    layout.setCollapsed(1, false)
    expect(shown()).toEqual(['top', 'A', '1', 'B', '2', '3', 'end'])
    layout.setCollapsed(0, true)
    expect(shown()).toEqual(['top', 'A', 'end'])
    layout.setAllCollapsed(true)
    layout.reveal(4)
    expect(shown()).toEqual(['top', 'A', '1', 'B', '2', '3', 'end'])
    expect(layout.positionOf(0)).toBe(0)
  })

  it('wraps long lines, takes measures into account, finds rows', () => {
    const { lines, sections } = parseLog(`${'x'.repeat(25)}\n\nshort\n`).screen
    const layout = new Layout(lines, sections)
    layout.update(0)
    layout.setColumns(10)
    expect(layout.tops).toEqual([0, 3, 4, 5])
    expect([0, 2, 3, 4, 99].map((row) => layout.positionAtRow(row))).toEqual([0, 0, 1, 2, 2])
    expect(layout.setMeasured(2, 2)).toBe(true)
    expect(layout.setMeasured(2, 2)).toBe(false)
    expect(layout.rows).toBe(6)
  })

  it('is the same whether a log came at once or line by line', () => {
    const all = parseLog(Array.from({ length: 50 }, (_, i) => marked(`s${i}`, `T${i}\n${'y'.repeat(i)}\n`, i % 3 ? '' : '[collapsed=true]')).join('')).screen
    const lines: typeof all.lines = []
    const grown = new Layout(lines, all.sections)
    grown.setColumns(7)
    for (const line of all.lines) {
      lines.push(line)
      grown.update(lines.length - 1)
    }
    const whole = new Layout(all.lines, all.sections)
    whole.setColumns(7)
    whole.update(0)
    expect(grown.visible).toEqual(whole.visible)
    expect(grown.tops).toEqual(whole.tops)
  })

  it('counts cells', () => {
    expect(cellsOf('abc')).toBe(3)
    expect(cellsOf('漢字')).toBe(4)
    expect(cellsOf('e\u0301')).toBe(1)
    expect(cellsOf('\u{1F600}')).toBe(2)
  })
})

describe('links', () => {
  const found = (text: string) => findLinks(text).map((link) => link.href)

  it('finds addresses, without the punctuation around them', () => {
    expect(found('see https://a.example/x?y=1#z, (http://b.example/q_(r)) and "https://c.example".')).toEqual([
      'https://a.example/x?y=1#z',
      'http://b.example/q_(r)',
      'https://c.example/',
    ])
  })

  it('links nothing but http and https, and no address that hides its host', () => {
    expect(found('javascript://x data://y ftp://z file:///etc https://bank.example@evil.example/ https:// http://[')).toEqual([])
  })
})

describe('segments', () => {
  it('cut at styles, links and hits, and together are the text', () => {
    const { lines, styles } = parseLog(`${ESC}[31mred https://a.example/x${ESC}[0m end`).screen
    const hits = search(lines, compile('example')).map((match) => ({ ...match, current: true }))
    const segments = segmentsOf(lines[0]!, hits)
    expect(segments.map((segment) => segment.text).join('')).toBe('red https://a.example/x end')
    expect(segments.find((segment) => segment.hit === 2)).toMatchObject({ text: 'example', href: 'https://a.example/x' })
    expect(styles.styles[segments[0]!.style]).toMatchObject({ fg: 1 })
    expect(segments[segments.length - 1]).toMatchObject({ text: ' end', style: 0, href: null })
  })

  it('keeps markup as text, and very long lines short', () => {
    expect(segmentsOf(parseLog('<img src=x onerror=alert(1)>').screen.lines[0]!)).toEqual([
      { text: '<img src=x onerror=alert(1)>', style: 0, href: null, hit: 0 },
    ])
    const long = segmentsOf(parseLog('a'.repeat(LONGEST_SHOWN + 5)).screen.lines[0]!)
    expect(long[0]!.text.length).toBe(LONGEST_SHOWN)
  })
})

describe('search', () => {
  const { lines } = parseLog('Error: one\nno error\nfine (a+b)\nERROR error\n').screen

  it('ignores the case unless asked with a capital, and takes the words literally', () => {
    expect(search(lines, compile('error')).length).toBe(4)
    expect(search(lines, compile('Error')).length).toBe(1)
    expect(search(lines, compile('(a+b)'))).toEqual([{ line: 2, start: 5, end: 10 }])
    expect(search(lines, compile(''))).toEqual([])
    for (const words of ['-', '[', '\\', '/', 'a-b', '^$', '{}', '\u{1F600}']) expect(() => compile(words)).not.toThrow()
  })

  it('goes on from where it was when the log grew', () => {
    const pattern = compile('error')
    const before = search(lines.slice(0, 2), pattern)
    expect(search(lines, pattern, 1, before)).toEqual(search(lines, pattern))
  })
})

it('asks faster while the log grows, slower while it rests, and never gives up', () => {
  const pace = new Pace()
  expect(pace.answered(true)).toBe(FASTEST_MS)
  let last = 0
  for (let i = 0; i < 20; i += 1) last = pace.answered(false)
  expect(last).toBe(SLOWEST_MS)
  expect(pace.failed()).toBeLessThan(pace.failed())
  for (let i = 0; i < 50; i += 1) last = pace.failed()
  expect(last).toBe(15_000)
  expect(pace.answered(true)).toBe(FASTEST_MS)
})
