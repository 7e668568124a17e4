// The form for creating and editing: its values as typed, what is wrong with them, and what is sent.
import type { RunnerAttributes, RunnerDetails } from '@/api/runners'
import { splitTags } from '@/lib/runner-filters'

export interface RunnerFormValues {
  tags: string
  runUntagged: boolean
  description: string
  note: string
  paused: boolean
  isProtected: boolean
  locked: boolean
  timeout: string
}

export type RunnerFormErrors = Partial<Record<keyof RunnerFormValues, string>>

const kMaxTags = 50
const kMaxText = 1024
const kMinTimeout = 600

export const emptyForm = (): RunnerFormValues => ({
  tags: '',
  runUntagged: false,
  description: '',
  note: '',
  paused: false,
  isProtected: false,
  locked: false,
  timeout: '',
})

export function formOf(runner: RunnerDetails): RunnerFormValues {
  return {
    tags: runner.tag_list.join(', '),
    runUntagged: runner.run_untagged,
    description: runner.description ?? '',
    note: runner.maintenance_note ?? '',
    paused: runner.paused,
    isProtected: runner.access_level === 'ref_protected',
    locked: runner.locked,
    timeout: runner.maximum_timeout === null ? '' : String(runner.maximum_timeout),
  }
}

/** What the server would refuse, said beside the field before it is asked. */
export function checkForm(form: RunnerFormValues): RunnerFormErrors {
  const errors: RunnerFormErrors = {}
  const tags = splitTags(form.tags)
  if (!tags.length && !form.runUntagged) errors.tags = 'Add at least one tag, or let the runner run untagged jobs.'
  else if (tags.length > kMaxTags) errors.tags = `Too many tags: at most ${kMaxTags}.`
  if ([...form.description].length > kMaxText) errors.description = `Too long: at most ${kMaxText} characters.`
  if ([...form.note].length > kMaxText) errors.note = `Too long: at most ${kMaxText} characters.`
  const timeout = form.timeout.trim()
  if (timeout && !/^\d+$/.test(timeout)) errors.timeout = 'Give a whole number of seconds.'
  else if (timeout && Number(timeout) < kMinTimeout) errors.timeout = `Needs to be at least 10 minutes (${kMinTimeout} seconds).`
  return errors
}

/** As the API takes them; only project runners can be locked. */
export function attributesOf(form: RunnerFormValues, lockable: boolean): RunnerAttributes {
  return {
    description: form.description.trim(),
    maintenance_note: form.note,
    paused: form.paused,
    access_level: form.isProtected ? 'ref_protected' : 'not_protected',
    run_untagged: form.runUntagged,
    ...(lockable ? { locked: form.locked } : {}),
    maximum_timeout: form.timeout.trim() ? Number(form.timeout.trim()) : null,
    tag_list: splitTags(form.tags),
  }
}
