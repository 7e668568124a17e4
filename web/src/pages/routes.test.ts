import { describe, expect, it } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import { pageRoutes } from './routes'

const router = createRouter({ history: createMemoryHistory(), routes: pageRoutes })
const at = (path: string) => {
  const found = router.resolve(path)
  return { scope: found.meta.scope, title: found.meta.title, params: found.params }
}

describe('addresses', () => {
  it.each([
    ['/admin/runners', 'admin', 'Runners'],
    ['/admin/runners/new', 'admin', 'New instance runner'],
    ['/admin/runners/12/register', 'admin', 'Register runner'],
    ['/admin/users/new', 'admin', 'New user'],
    ['/groups/a/b/-/runners', 'group', 'Runners'],
    ['/groups/a/b/-/runners/new', 'group', 'New group runner'],
    ['/groups/new', 'work', 'New group'],
    ['/groups/new/-/runners/7', 'group', 'Runner #:id'],
    ['/a/b/c/-/runners/new', 'project', 'New project runner'],
    ['/a/b/-/runners/5/edit', 'project', 'Edit runner'],
    ['/a/b/-/settings/ci_cd', 'project', 'CI/CD Settings'],
    ['/groups/a/-/settings/ci_cd', 'group', 'CI/CD Settings'],
    ['/-/user_settings/profile', 'user', 'Profile'],
    ['/a/b', 'namespace', undefined],
    ['/groups/a/b', 'group', undefined],
  ])('%s', (path, scope, title) => {
    expect(at(path)).toMatchObject({ scope, title })
  })

  it('give the whole path of a group or project', () => {
    expect(at('/groups/a/b/-/runners/7').params).toEqual({ group: 'a/b', id: '7' })
    expect(at('/a/b/c/-/settings/ci_cd').params).toEqual({ project: 'a/b/c' })
  })
})
