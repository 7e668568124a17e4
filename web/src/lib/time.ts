// Times and durations in words. Pure; the clock is given by the caller.

const kUnits: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 365 * 86400],
  ['month', 30 * 86400],
  ['week', 7 * 86400],
  ['day', 86400],
  ['hour', 3600],
  ['minute', 60],
]

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'always' })
const absolute = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' })
const day = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeZone: 'UTC' })

/** "5 minutes ago", "in 3 days"; less than a minute is "just now" or "in a moment". */
export function relativeTime(time: string | number | Date, now: number): string {
  const seconds = Math.round((new Date(time).getTime() - now) / 1000)
  if (Number.isNaN(seconds)) return ''
  for (const [unit, size] of kUnits) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit)
  }
  return seconds > 0 ? 'in a moment' : 'just now'
}

export function absoluteTime(time: string | number | Date): string {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? '' : absolute.format(date)
}

/** A date without time of day, as access tokens have for their expiry. */
export function plainDate(date: string): string {
  const parsed = new Date(date.length === 10 ? `${date}T00:00:00Z` : date)
  return Number.isNaN(parsed.getTime()) ? date : day.format(parsed)
}

/** 3720 → "1 hour 2 minutes". */
export function durationWords(seconds: number): string {
  const parts: string[] = []
  let rest = Math.max(0, Math.round(seconds))
  for (const [name, size] of [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]] as const) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count) parts.push(`${count} ${name}${count === 1 ? '' : 's'}`)
  }
  return parts.length ? parts.join(' ') : '0 seconds'
}

/** 3725 → "1:02:05", 65 → "1:05": for columns of durations. */
export function clockDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const two = (value: number) => String(value).padStart(2, '0')
  const hours = Math.floor(whole / 3600)
  const minutes = Math.floor((whole % 3600) / 60)
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`
}

/** The date `days` from `now`, as YYYY-MM-DD in UTC: what date fields and the API speak. */
export function isoDate(now: number, days: number): string {
  return new Date(now + days * 86400_000).toISOString().slice(0, 10)
}
