import { describe, expect, it } from 'vitest'
import { intervalSeconds, intervalText } from './intervals'

describe('intervals', () => {
  it('come back as they went', () => {
    for (const seconds of [null, 7200, 86400, 30 * 86400, 5400 * 3]) expect(intervalSeconds(intervalText(seconds))).toBe(seconds)
  })
  it('are days when they can be', () => expect(intervalText(172800)).toEqual({ amount: '2', unit: 'days' }))
  it('refuse what the server refuses', () => {
    expect(intervalSeconds({ amount: '1', unit: 'hours' })).toBeUndefined()
    expect(intervalSeconds({ amount: 'x', unit: 'days' })).toBeUndefined()
    expect(intervalSeconds({ amount: '-3', unit: 'days' })).toBeUndefined()
    expect(intervalSeconds({ amount: ' ', unit: 'days' })).toBeNull()
  })
})
