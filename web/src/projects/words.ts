// What the states and failures of jobs mean, in words for people. Pure.

const FAILURES: Record<string, string> = {
  script_failure: 'The script ended with an error.',
  api_failure: 'The runner could not talk to the server.',
  stuck_or_timeout_failure: 'No runner took the job in time, or the job took too long.',
  stuck_pending_no_matching_runners: 'No runner that could take the job was there within an hour.',
  stuck_pending_with_matching_runners: 'The job waited for a day, and no matching runner took it.',
  runner_system_failure: 'The runner had a problem of its own; the script is not to blame.',
  missing_dependency_failure: 'Artifacts of a job that this one needs are gone.',
  runner_unsupported: 'The runner that took the job is too old for something the job uses.',
  schedule_expired: 'The delayed start came too late.',
  stale_schedule: 'The delayed start could not be carried out.',
  job_execution_timeout: 'The job took longer than its timeout.',
  server_timeout_running: 'The job ran longer than its timeout, and the server ended it.',
  no_updates_running: 'The runner fell silent while it ran the job.',
  no_updates_canceling: 'The runner fell silent while the job was being canceled.',
  server_timeout_canceling: 'Canceling took too long.',
  archived_failure: 'The job is archived and cannot be run.',
  unmet_prerequisites: 'Something that the job presupposes is missing.',
  scheduler_failure: 'The server could not prepare the job.',
  data_integrity_failure: 'The record of the job was broken.',
  user_blocked: 'The account of the person who started the job is blocked.',
  project_deleted: 'The project is being deleted.',
  builds_disabled: 'CI/CD is turned off for the project.',
  job_canceled: 'The job was canceled.',
  job_token_expired: 'The token of the job expired.',
  image_pull_failure: 'The container image could not be fetched.',
  runner_configuration_error: 'The configuration of the runner does not allow this job.',
  runner_external_dependency_failure: 'Something that the runner depends on failed.',
  runner_interrupted: 'The runner was interrupted, for instance by a shutdown of its host.',
  unknown_failure: 'The job failed for an unknown reason.',
  trace_size_exceeded: 'The log grew over its limit.',
  ci_quota_exceeded: 'There is no compute time left.',
  failed_outdated_deployment_job: 'A newer deployment overtook this one.',
  config_error: 'The configuration in .gitlab-ci.yml is not valid.',
}

export function failureWords(reason: string | null | undefined): string {
  if (!reason) return ''
  return FAILURES[reason] ?? `The job failed: ${reason.replace(/_/g, ' ')}.`
}

const WHEN: Record<string, string> = {
  on_success: 'It runs only when everything before it has passed',
  on_failure: 'It runs only when something before it has failed',
}

/** Why a job was skipped, out of the server's note "when: on_success, earlier stages are failed"; '' for another note. */
export function skippedWords(note: string | null | undefined): string {
  const parts = /^when: (\w+), (needed jobs|earlier stages) are (\w+)$/.exec(note ?? '')
  if (!parts || !WHEN[parts[1]]) return ''
  return `${WHEN[parts[1]]}; the ${parts[2]} are: ${parts[3].replace(/_/g, ' ')}.`
}

const SOURCES: Record<string, string> = {
  push: 'Push',
  web: 'Started by hand',
  api: 'API',
  trigger: 'Trigger',
  schedule: 'Schedule',
  merge_request_event: 'Merge request',
  pipeline: 'Another pipeline',
  parent_pipeline: 'Parent pipeline',
  external: 'External',
}

export const sourceWords = (source: string) => SOURCES[source] ?? source.replace(/_/g, ' ')

export const FINISHED = ['success', 'failed', 'canceled', 'skipped']
export const ALIVE = ['pending', 'running', 'canceling', 'preparing', 'waiting_for_resource', 'waiting_for_callback', 'scheduled']

export const isFinished = (status: string) => FINISHED.includes(status)
export const isAlive = (status: string) => ALIVE.includes(status)

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']

// 1536 -> "1.5 KiB".
export function bytesWords(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1
  return `${value.toFixed(digits)} ${unit === 0 && bytes === 1 ? 'byte' : UNITS[unit]}`
}

// A path for a name, as the server would make it: letters, digits, `_`, `-` and `.`.
export function slug(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9_.-]+/g, '-')
    .replace(/^[-._]+|[-._]+$/g, '')
    .replace(/[-._]{2,}/g, '-')
}
