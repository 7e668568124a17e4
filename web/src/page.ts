// The group or project the open page belongs to, with what the signed-in person may do there. The router fills it
// before a page of meta.scope group, project or namespace opens.
import { computed, shallowReactive } from 'vue'
import { get } from './api/client'
import type { Abilities, GroupRef, PageAnswer, ProjectRef, UserRef } from './api/types'

interface PageState {
  status: number
  page: string
  group: GroupRef | null
  project: ProjectRef | null
  user: UserRef | null
  runner: PageAnswer['runner']
  ancestors: PageAnswer['ancestors']
  abilities: Abilities
  error: string
}

export const page = shallowReactive<PageState>({
  status: 200,
  page: '',
  group: null,
  project: null,
  user: null,
  runner: null,
  ancestors: [],
  abilities: {},
  error: '',
})

export async function lookUpPage(path: string): Promise<PageAnswer> {
  return get<PageAnswer>('/-/web/page', { path }, { detached: true })
}

export function setPage(answer: Omit<Partial<PageAnswer>, 'status'> & { status: number }): void {
  page.status = answer.status
  page.page = answer.page ?? ''
  page.group = answer.group ?? null
  page.project = answer.project ?? null
  page.user = answer.user ?? null
  page.runner = answer.runner ?? null
  page.ancestors = answer.ancestors ?? []
  page.abilities = answer.abilities ?? {}
  page.error = ''
}

export const can = (ability: string): boolean => page.abilities[ability] === true

/** Address of the open page's project or group, without trailing slash: `/a/b` or `/groups/a`. */
export const basePath = computed(() =>
  page.project ? `/${page.project.path_with_namespace}` : page.group ? `/groups/${page.group.full_path}` : '',
)
