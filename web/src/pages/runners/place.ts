// The same runner pages stand in the Admin Area, in groups and in projects; this says where they stand now.
import { computed } from 'vue'
import { useRoute } from 'vue-router'
import { basePath, page } from '@/page'

export interface RunnerPlace {
  kind: 'instance' | 'group' | 'project'
  /** The `scope` of the runner list. */
  scope: string
  /** The scope of the registration token. */
  tokenScope: string
  /** The list this place's runner pages belong to. */
  list: string
  /** Address below which the pages of single runners stand. */
  base: string
}

export function useRunnerPlace() {
  const route = useRoute()
  return computed<RunnerPlace>(() => {
    if (route.meta.scope === 'admin') {
      return { kind: 'instance', scope: 'admin', tokenScope: 'instance', list: '/admin/runners', base: '/admin/runners' }
    }
    const base = `${basePath.value}/-/runners`
    if (page.project) {
      const scope = `project:${page.project.id}`
      return { kind: 'project', scope, tokenScope: scope, list: `${basePath.value}/-/settings/ci_cd#js-runners-settings`, base }
    }
    const scope = `group:${page.group?.id}`
    return { kind: 'group', scope, tokenScope: scope, list: base, base }
  })
}

export const kTypeNames = { instance_type: 'Instance', group_type: 'Group', project_type: 'Project' } as const
