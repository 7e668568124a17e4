import { describe, expect, it } from 'vitest'
import { filterChips, filtersFromQuery, noFilters, queryFromFilters, splitTags } from './runner-filters'

describe('runner filters in the address', () => {
  it('leave a plain list plain', () => expect(queryFromFilters(noFilters())).toEqual({}))

  it('come back as they went', () => {
    const filters = {
      ...noFilters(),
      type: 'group_type' as const,
      status: ['online' as const, 'stale' as const],
      paused: 'true' as const,
      tags: ['a b', 'c'],
      version: '18.1',
      creator: 'ann',
      search: 'linux',
      sort: 'contacted_asc' as const,
      inherited: true,
      after: 'cursor',
    }
    expect(filtersFromQuery(queryFromFilters(filters))).toEqual(filters)
  })

  it('take one value where a list could be', () => {
    expect(filtersFromQuery({ 'status[]': 'offline', 'tag[]': 'x' })).toEqual({ ...noFilters(), status: ['offline'], tags: ['x'] })
  })

  it('ignore what they do not know', () => {
    expect(filtersFromQuery({ 'status[]': 'dead', sort: 'x', 'paused[]': 'maybe', 'runner_type[]': 'x', other: '1' })).toEqual(noFilters())
  })
})

describe('chips', () => {
  it('take away only their own filter, and the page', () => {
    const filters = { ...noFilters(), status: ['online' as const, 'stale' as const], search: 'x', after: 'c' }
    const chips = filterChips(filters)
    expect(chips.map((chip) => chip.text)).toEqual(['Status: Online', 'Status: Stale', '“x”'])
    expect(chips[0].without).toEqual({ ...filters, status: ['stale'], after: '' })
  })
})

describe('tags', () => {
  it('are trimmed and kept once', () => expect(splitTags(' macos, shared,,shared ')).toEqual(['macos', 'shared']))
})
