// Several life times of tokens in one form: filled from the settings, read back in seconds, faults beside their fields.
import { reactive } from 'vue'
import { intervalSeconds, intervalText, type IntervalText } from './intervals'

export function useIntervalFields(keys: readonly string[]) {
  const values = reactive<Record<string, IntervalText>>({})
  const errors = reactive<Record<string, string>>({})
  return {
    values,
    errors,
    fill(settings: Record<string, unknown>) {
      for (const key of keys) values[key] = intervalText(settings[key] as number | null)
    },
    /** Seconds (or null: never) by key; nothing when one of them cannot be. */
    read(): Record<string, number | null> | null {
      const body: Record<string, number | null> = {}
      for (const key of keys) {
        const seconds = intervalSeconds(values[key])
        errors[key] = seconds === undefined ? 'At least 2 hours, or empty for never.' : ''
        body[key] = seconds ?? null
      }
      return keys.every((key) => !errors[key]) ? body : null
    },
  }
}
