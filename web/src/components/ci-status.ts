// Words, pictures and colours of job and pipeline states; every state differs in its picture as well.
import type { IconName } from './icons'

export interface StatusLook {
  text: string
  kind: 'ok' | 'warn' | 'bad' | 'info' | 'quiet'
  icon: IconName
  spin?: boolean
}

const kLooks: Record<string, StatusLook> = {
  success: { text: 'Passed', kind: 'ok', icon: 'check-circle' },
  failed: { text: 'Failed', kind: 'bad', icon: 'cross-circle' },
  running: { text: 'Running', kind: 'info', icon: 'spinner', spin: true },
  canceling: { text: 'Canceling', kind: 'warn', icon: 'spinner', spin: true },
  canceled: { text: 'Canceled', kind: 'quiet', icon: 'stop' },
  pending: { text: 'Pending', kind: 'warn', icon: 'clock' },
  created: { text: 'Created', kind: 'quiet', icon: 'minus' },
  preparing: { text: 'Preparing', kind: 'info', icon: 'clock' },
  waiting_for_resource: { text: 'Waiting for resource', kind: 'warn', icon: 'pause' },
  waiting_for_callback: { text: 'Waiting for callback', kind: 'warn', icon: 'pause' },
  manual: { text: 'Manual', kind: 'quiet', icon: 'play' },
  scheduled: { text: 'Scheduled', kind: 'quiet', icon: 'clock' },
  skipped: { text: 'Skipped', kind: 'quiet', icon: 'skip' },
}

/** `warning`: a failure that was allowed, or a success with such failures in it. */
export function ciStatus(status: string, warning = false): StatusLook {
  if (warning && status === 'success') return { text: 'Passed with warnings', kind: 'warn', icon: 'alert' }
  if (warning && status === 'failed') return { text: 'Failed, allowed', kind: 'warn', icon: 'alert' }
  return kLooks[status] ?? { text: status.replace(/_/g, ' '), kind: 'quiet', icon: 'help' }
}
