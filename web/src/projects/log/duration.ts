// Spans of time as people read them.

const pad = (part: number) => String(part).padStart(2, '0')

// 7 -> "00:07", 754 -> "12:34", 3725 -> "1:02:05".
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const hours = Math.floor(whole / 3600)
  const rest = `${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}`
  return hours > 0 ? `${hours}:${rest}` : rest
}
