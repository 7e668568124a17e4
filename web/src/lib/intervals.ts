// Expiry intervals: the server speaks seconds, people days and hours.
export interface IntervalText {
  amount: string
  unit: 'days' | 'hours'
}

const kHour = 3600
const kDay = 24 * kHour
export const kShortestInterval = 2 * kHour

export function intervalText(seconds: number | null | undefined): IntervalText {
  if (seconds === null || seconds === undefined) return { amount: '', unit: 'days' }
  if (seconds % kDay === 0) return { amount: String(seconds / kDay), unit: 'days' }
  return { amount: String(Math.round((seconds / kHour) * 100) / 100), unit: 'hours' }
}

/** Null is "never"; undefined means that it cannot be read or is below what the server takes. */
export function intervalSeconds(text: IntervalText): number | null | undefined {
  const amount = text.amount.trim()
  if (!amount) return null
  if (!/^\d+(\.\d+)?$/.test(amount)) return undefined
  const seconds = Math.round(Number(amount) * (text.unit === 'days' ? kDay : kHour))
  return seconds >= kShortestInterval ? seconds : undefined
}
