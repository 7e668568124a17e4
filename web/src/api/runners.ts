// Runners as the pages see them, and what can be done with them.
import type { RunnerStatus, RunnerType, UserRef } from './types'
import { del, get, post, put, type Query } from './client'

export type AccessLevel = 'not_protected' | 'ref_protected'

export interface RunnerRow {
  id: number
  short_sha: string
  description: string | null
  runner_type: RunnerType
  status: RunnerStatus
  paused: boolean
  locked: boolean
  access_level: AccessLevel
  run_untagged: boolean
  job_execution_status: 'active' | 'idle'
  version: string | null
  ip_address: string | null
  contacted_at: string | null
  created_at: string
  created_by: UserRef | null
  registration_type: 'authenticated_user' | 'registration_token'
  tag_list: string[]
  managers_count: number
  job_count: number
  token_expires_at: string | null
  upgrade_status?: string | null
  owner: { kind: 'instance' | 'group' | 'project'; name: string; full_path: string | null; web_path: string | null; others: number }
  web_path: string
  abilities: {
    read: boolean
    update: boolean
    delete: boolean
    delete_reason: string | null
    assign: boolean
    read_jobs: boolean
  }
}

export interface RunnerList {
  runners: RunnerRow[]
  counts: { all: number; instance_type: number; group_type: number; project_type: number }
  status_counts: Record<RunnerStatus, number>
  page_info: { after: string | null; before: string | null }
}

export interface RunnerManager {
  id: number
  system_id: string
  status: RunnerStatus
  job_execution_status: 'active' | 'idle'
  version: string | null
  revision: string | null
  platform: string | null
  architecture: string | null
  executor: string | null
  ip_address: string | null
  contacted_at: string | null
  created_at: string
  possible_clone: boolean
  upgrade_status?: string | null
}

export interface RunnerProject {
  id: number
  name: string
  name_with_namespace: string
  path_with_namespace: string
  web_path: string
  owner: boolean
}

export interface RunnerDetails extends RunnerRow {
  name: string | null
  maintenance_note: string | null
  maximum_timeout: number | null
  platform: string | null
  architecture: string | null
  managers: RunnerManager[]
  managers_truncated: boolean
  groups: { id: number; name: string; full_path: string; web_path: string }[]
  projects: RunnerProject[]
  projects_count: number
  registration: {
    available: boolean
    state: 'waiting' | 'registered'
    polled: boolean
    expires_at: string | null
    managers: Pick<RunnerManager, 'system_id' | 'platform' | 'architecture' | 'executor' | 'version' | 'ip_address' | 'contacted_at'>[]
  }
  ephemeral_token: string | null
}

/** What a person may set on a runner; `maximum_timeout` null means the project's own. */
export interface RunnerAttributes {
  description: string
  maintenance_note: string
  paused: boolean
  access_level: AccessLevel
  run_untagged: boolean
  locked?: boolean
  maximum_timeout: number | null
  tag_list: string[]
}

export interface RunnerJob {
  id: number
  status: string
  name: string
  ref: string
  finished_at: string | null
  duration: number | null
  queued_duration: number | null
  tag_list?: string[]
  web_url: string | null
  commit: { id: string; short_id: string } | null
  project: { id: number; name: string; path_with_namespace: string }
}

export interface Registration {
  allowed: boolean
  reason: string | null
  token: string | null
}

export const listRunners = (query: Query, signal?: AbortSignal) =>
  get<RunnerList>('/-/web/runners', query, { signal })
export const runnerDetails = (id: number) => get<RunnerDetails>(`/-/web/runners/${id}`)
export const createRunner = (body: Partial<RunnerAttributes> & Record<string, unknown>) =>
  post<{ id: number; token: string; token_expires_at: string | null }>('/api/v4/user/runners', body)
export const updateRunner = (id: number, body: Partial<RunnerAttributes>) => put<unknown>(`/api/v4/runners/${id}`, body)
export const deleteRunner = (id: number) => del(`/api/v4/runners/${id}`)
export const bulkRunners = (action: 'delete' | 'pause' | 'resume', ids: number[]) =>
  post<{ done: number[]; errors: { id: number; message: string }[] }>('/-/web/runners/bulk', { action, ids })
export const resetRunnerToken = (id: number) =>
  post<{ token: string; token_expires_at: string | null }>(`/api/v4/runners/${id}/reset_authentication_token`)
export const registrationToken = (scope: string) => get<Registration>('/-/web/registration_token', { scope })
export const assignRunner = (project: number, runner: number) => post<unknown>(`/api/v4/projects/${project}/runners`, { runner_id: runner })
export const unassignRunner = (project: number, runner: number) => del(`/api/v4/projects/${project}/runners/${runner}`)

/** Where the registration token of `instance`, `group:ID` or `project:ID` is reset. */
export function resetRegistrationToken(scope: string): Promise<{ token: string }> {
  const [kind, id] = scope.split(':')
  const base = kind === 'instance' ? '' : `/${kind}s/${id}`
  return post<{ token: string }>(`/api/v4${base}/runners/reset_registration_token`)
}

/** What stands for a runner in a sentence. */
export const runnerName = (runner: { id: number; short_sha: string }) => `#${runner.id} (${runner.short_sha})`
