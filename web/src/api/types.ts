// Shapes of what the server answers, as far as the shell and the runner pages use them.

export interface CurrentUser {
  id: number
  username: string
  name: string
  email: string
  admin: boolean
  state: string
}

export interface Context {
  user: CurrentUser | null
  csrf_token: string
  version: { forerunner: string; revision: string; emulated: string }
  /** Features and settings are empty for people who are not signed in. */
  features: { create_runner_workflow_for_admin?: boolean; create_runner_workflow_for_namespace?: boolean }
  settings: InstanceSettings
  external_url: string
  abilities: Abilities
  downloads?: Record<string, string>
}

export interface InstanceSettings {
  shared_runners_text?: string
  default_project_visibility?: string
  default_group_visibility?: string
  default_branch_name?: string
  require_personal_access_token_expiry?: boolean
  max_personal_access_token_lifetime?: number | null
  allow_runner_registration_token?: boolean
  valid_runner_registrars?: string[]
  update_runner_versions_enabled?: boolean
  minimum_password_length?: number
}

export interface GroupRef {
  id: number
  name: string
  full_name: string
  full_path: string
  description?: string | null
  visibility?: string
  parent_id?: number | null
  path?: string
  root?: boolean
  shared_runners_setting?: string
  web_path?: string
}

export interface ProjectRef {
  id: number
  name: string
  name_with_namespace: string
  path_with_namespace: string
  description?: string | null
  visibility?: string
  default_branch?: string | null
  archived?: boolean
  empty_repo?: boolean
  http_url_to_repo?: string
  web_url?: string
  path?: string
  web_path?: string
  namespace?: { id: number; kind: 'group' | 'user'; name: string; full_name: string; full_path: string; web_path: string }
}

export type Abilities = Record<string, boolean | string | null | undefined>

/** What the page router says about an address. */
export interface PageAnswer {
  status: 200 | 302 | 404
  page: string
  location: string | null
  params: Record<string, string | number>
  user: UserRef | null
  group: GroupRef | null
  project: ProjectRef | null
  runner: { id: number; short_sha: string; description: string | null; runner_type: RunnerType } | null
  ancestors: { id: number; name: string; full_path: string; web_path: string }[]
  abilities: Abilities
}

export interface UserRef {
  id: number
  username: string
  name: string
  state?: string
  web_url?: string
}

export type RunnerType = 'instance_type' | 'group_type' | 'project_type'
export type RunnerStatus = 'online' | 'offline' | 'stale' | 'never_contacted'
