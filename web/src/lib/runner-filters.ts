// The filters of a runner list and their form in the address, so that a filtered list can be sent to somebody.
import type { LocationQuery, LocationQueryValue } from 'vue-router'
import type { RunnerStatus, RunnerType } from '@/api/types'

export const kStatuses: { value: RunnerStatus; text: string }[] = [
  { value: 'online', text: 'Online' },
  { value: 'offline', text: 'Offline' },
  { value: 'stale', text: 'Stale' },
  { value: 'never_contacted', text: 'Never contacted' },
]

export const kSorts = [
  { value: 'created_desc', text: 'Created date, newest first' },
  { value: 'created_asc', text: 'Created date, oldest first' },
  { value: 'contacted_desc', text: 'Last contact, latest first' },
  { value: 'contacted_asc', text: 'Last contact, earliest first' },
  { value: 'token_expires_at_asc', text: 'Token expiry, soonest first' },
  { value: 'token_expires_at_desc', text: 'Token expiry, latest first' },
] as const

export type RunnerSort = (typeof kSorts)[number]['value']
const kTypes: RunnerType[] = ['instance_type', 'group_type', 'project_type']

export interface RunnerFilters {
  type: RunnerType | ''
  status: RunnerStatus[]
  paused: '' | 'true' | 'false'
  tags: string[]
  version: string
  creator: string
  search: string
  sort: RunnerSort
  inherited: boolean
  after: string
  before: string
}

export const noFilters = (): RunnerFilters => ({
  type: '',
  status: [],
  paused: '',
  tags: [],
  version: '',
  creator: '',
  search: '',
  sort: 'created_desc',
  inherited: false,
  after: '',
  before: '',
})

const all = (value: LocationQueryValue | LocationQueryValue[] | undefined): string[] =>
  (Array.isArray(value) ? value : [value]).filter((item): item is string => !!item)
const one = (query: LocationQuery, key: string): string => all(query[key])[0] ?? ''

/** Unknown values in an address are ignored rather than sent to the server, which would refuse the whole list. */
export function filtersFromQuery(query: LocationQuery): RunnerFilters {
  const type = one(query, 'runner_type[]') as RunnerType
  const paused = one(query, 'paused[]')
  const sort = one(query, 'sort') as RunnerSort
  return {
    type: kTypes.includes(type) ? type : '',
    status: all(query['status[]']).filter((value): value is RunnerStatus => kStatuses.some((known) => known.value === value)),
    paused: paused === 'true' || paused === 'false' ? paused : '',
    tags: all(query['tag[]']),
    version: one(query, 'version_prefix'),
    creator: one(query, 'creator'),
    search: one(query, 'search'),
    sort: kSorts.some((known) => known.value === sort) ? sort : 'created_desc',
    inherited: one(query, 'inherited') === 'true',
    after: one(query, 'after'),
    before: one(query, 'before'),
  }
}

/** The address holds only what differs from the plain list. */
export function queryFromFilters(filters: RunnerFilters): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = {}
  if (filters.type) query['runner_type[]'] = [filters.type]
  if (filters.status.length) query['status[]'] = [...filters.status]
  if (filters.paused) query['paused[]'] = [filters.paused]
  if (filters.tags.length) query['tag[]'] = [...filters.tags]
  if (filters.version) query.version_prefix = filters.version
  if (filters.creator) query.creator = filters.creator
  if (filters.search) query.search = filters.search
  if (filters.sort !== 'created_desc') query.sort = filters.sort
  if (filters.inherited) query.inherited = 'true'
  if (filters.after) query.after = filters.after
  if (filters.before) query.before = filters.before
  return query
}

/** The same filters as words on chips; `without` is what stays when a chip is removed. */
export function filterChips(filters: RunnerFilters): { text: string; without: RunnerFilters }[] {
  const chips: { text: string; without: RunnerFilters }[] = []
  const add = (text: string, change: Partial<RunnerFilters>) =>
    chips.push({ text, without: { ...filters, ...change, after: '', before: '' } })
  for (const status of filters.status) {
    const words = kStatuses.find((known) => known.value === status)?.text ?? status
    add(`Status: ${words}`, { status: filters.status.filter((other) => other !== status) })
  }
  if (filters.paused) add(`Paused: ${filters.paused === 'true' ? 'Yes' : 'No'}`, { paused: '' })
  for (const tag of filters.tags) add(`Tag: ${tag}`, { tags: filters.tags.filter((other) => other !== tag) })
  if (filters.version) add(`Version starts with ${filters.version}`, { version: '' })
  if (filters.creator) add(`Creator: ${filters.creator}`, { creator: '' })
  if (filters.search) add(`“${filters.search}”`, { search: '' })
  return chips
}

/** "macos, shared,,shared " → ["macos", "shared"], as the server does it. */
export function splitTags(text: string): string[] {
  return [...new Set(text.split(',').map((tag) => tag.trim()).filter(Boolean))]
}
