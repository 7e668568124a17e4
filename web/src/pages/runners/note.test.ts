import { describe, expect, it } from 'vitest'
import { parseInline, parseNote } from './note'

describe('notes', () => {
  it('know paragraphs and lists', () => {
    const blocks = parseNote('Owner: **ann**\n\n- rack 4\n- `nvme`')
    expect(blocks.map((block) => block.kind)).toEqual(['text', 'list'])
  })
  it('link to the web and to this site only', () => {
    expect(parseInline('[x](https://a.example/b)')).toEqual([{ kind: 'link', text: 'x', href: 'https://a.example/b' }])
    expect(parseInline('[x](/admin)')).toEqual([{ kind: 'link', text: 'x', href: '/admin' }])
    for (const bad of ['[x](javascript:alert(1))', '[x](data:text/html,x)', '[x](//evil.example)']) {
      expect(parseInline(bad).every((part) => part.kind === 'text')).toBe(true)
    }
  })
  it('leave tags as text', () => expect(parseInline('<img src=x>')).toEqual([{ kind: 'text', text: '<img src=x>' }]))
  it('end a bare address before the full stop', () => {
    expect(parseInline('see https://a.example/x.')[1]).toEqual({ kind: 'link', text: 'https://a.example/x', href: 'https://a.example/x' })
  })
})
