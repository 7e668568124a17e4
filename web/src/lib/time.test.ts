import { describe, expect, it } from 'vitest'
import { clockDuration, durationWords, isoDate, plainDate, relativeTime } from './time'

const now = Date.parse('2026-03-10T12:00:00Z')
const before = (seconds: number) => relativeTime(now - seconds * 1000, now)

describe('relativeTime', () => {
  it('says just now below a minute', () => {
    expect(before(0)).toBe('just now')
    expect(before(59)).toBe('just now')
    expect(before(-30)).toBe('in a moment')
  })
  it('takes the largest whole unit', () => {
    expect(before(60)).toBe('1 minute ago')
    expect(before(7199)).toBe('1 hour ago')
    expect(before(2 * 86400)).toBe('2 days ago')
    expect(before(8 * 86400)).toBe('1 week ago')
    expect(before(-3 * 3600)).toBe('in 3 hours')
    expect(before(400 * 86400)).toBe('1 year ago')
  })
  it('has no words for what is no time', () => expect(relativeTime('soon', now)).toBe(''))
})

describe('durations', () => {
  it('in words', () => {
    expect(durationWords(600)).toBe('10 minutes')
    expect(durationWords(3661)).toBe('1 hour 1 minute 1 second')
    expect(durationWords(0)).toBe('0 seconds')
  })
  it('as a clock', () => {
    expect(clockDuration(5)).toBe('0:05')
    expect(clockDuration(3725.9)).toBe('1:02:05')
  })
})

describe('dates', () => {
  it('count days in UTC', () => expect(isoDate(now, 30)).toBe('2026-04-09'))
  it('do not shift with the zone', () => expect(plainDate('2026-04-09')).toBe('Apr 9, 2026'))
})
