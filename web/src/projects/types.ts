// Shapes of what the server tells about projects, pipelines and jobs.
import type { UserRef } from '@/api/types'

export interface StageStatus {
  name: string
  status: string
  warnings: boolean
}

export interface CommitRef {
  id: string
  short_id: string
  title: string
  message?: string
  author_name: string
  author_email?: string
  created_at?: string
}

export interface PipelineRow {
  id: number
  iid: number
  status: string
  warnings: boolean
  ref: string
  tag: boolean
  sha: string
  source: string
  name: string | null
  created_at: string
  started_at: string | null
  finished_at: string | null
  duration: number | null
  queued_duration: number | null
  yaml_errors: boolean
  user: UserRef | null
  commit: CommitRef | null
  stages: StageStatus[]
  abilities: { retry: boolean; cancel: boolean; delete: boolean }
  web_path: string
}

export interface JobAbilities {
  play: boolean
  retry: boolean
  cancel: boolean
  erase: boolean
}

export interface Attempt {
  id: number
  status: string
  created_at?: string | null
  finished_at: string | null
}

export interface GraphJob {
  id: number
  name: string
  stage: string
  status: string
  allow_failure: boolean
  warning: boolean
  manual: boolean
  scheduled_at: string | null
  needs: string[] | null
  tag_list: string[]
  started_at: string | null
  finished_at: string | null
  duration: number | null
  queued_duration: number | null
  failure_reason: string | null
  coverage: number | null
  artifacts: boolean
  retries: Attempt[]
  reason: string | null
  web_path: string
  abilities: JobAbilities
}

export interface GraphStage extends StageStatus {
  jobs: GraphJob[]
}

export interface PipelineDetails extends Omit<PipelineRow, 'yaml_errors' | 'stages'> {
  yaml_errors: string | null
  warnings_text: string[]
  failure_reason: string | null
  before_sha: string
  coverage: number | null
  stages: GraphStage[]
}

export interface StageJob {
  id: number
  name: string
  status: string
  warning: boolean
  retried?: boolean
  web_path: string
}

export type StuckReason = 'no_runners' | 'none_online' | 'no_matching_tags' | 'protected_only' | 'paused' | 'untagged'

export interface JobArtifacts {
  available: boolean
  size: number
  expire_at: string | null
  expired: boolean
  keepable: boolean
  locked: boolean
  files: { file_type: string; filename: string; size: number }[]
  browse_path: string
  download_path: string
}

export interface JobDetails {
  id: number
  name: string
  stage: string
  status: string
  ref: string
  tag: boolean
  coverage: number | null
  allow_failure: boolean
  warning: boolean
  when: string
  manual: boolean
  created_at: string
  started_at: string | null
  finished_at: string | null
  scheduled_at: string | null
  erased_at: string | null
  duration: number | null
  queued_duration: number | null
  timeout: number | null
  timeout_source: string | null
  debug_trace: boolean
  exit_code: number | null
  failure_reason: string | null
  trace_size: number
  trace_complete: boolean
  tag_list: string[]
  user: UserRef | null
  commit: CommitRef | null
  pipeline: { id: number; status: string; ref: string; sha: string }
  runner: { id: number; short_sha: string; description: string | null; web_path: string | null } | null
  runner_manager: { system_id: string } | null
  retried: boolean
  retried_by: number | null
  retries: (Attempt & { web_path: string })[]
  stage_jobs: StageJob[]
  stages: (StageStatus & { jobs: StageJob[] })[]
  artifacts: JobArtifacts | null
  stuck: { reason: StuckReason; tags: string[]; text: string } | null
  reason: string | null
  abilities: JobAbilities & { unschedule: boolean; keep_artifacts: boolean; delete_artifacts: boolean; update: boolean }
}

// A row of GET /api/v4/projects/:id/jobs.
export interface JobRow {
  id: number
  name: string
  stage: string
  status: string
  ref: string
  tag: boolean
  allow_failure: boolean
  created_at: string
  started_at: string | null
  finished_at: string | null
  duration: number | null
  queued_duration: number | null
  failure_reason?: string
  commit: CommitRef | null
  pipeline: { id: number; status: string }
  runner: { id: number; description: string | null } | null
  tag_list: string[]
  user: UserRef | null
}

export interface ProjectRow {
  id: number
  name: string
  name_with_namespace: string
  path_with_namespace: string
  description: string | null
  visibility: string
  archived: boolean
  last_activity_at: string
  empty_repo: boolean
  web_path: string
  last_pipeline: { id: number; status: string; ref: string; created_at: string; warnings: boolean; web_path: string } | null
  access_level: number
}

export interface Variable {
  variable_type: 'env_var' | 'file'
  key: string
  value: string | null
  hidden: boolean
  protected: boolean
  masked: boolean
  raw: boolean
  environment_scope: string
  description: string | null
}
