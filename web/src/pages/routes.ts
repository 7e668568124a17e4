// Addresses of the shell's, the administrators', the groups' and the runner pages. Each page is a file of its own that
// is loaded when first opened.
import type { RouteMeta, RouteRecordRaw } from 'vue-router'

// The pages of single runners, once for each of the three places.
function runnerRoutes(base: string, scope: RouteMeta['scope'], kind: string): RouteRecordRaw[] {
  const inProject = scope === 'project'
  const list = inProject ? '-/settings/ci_cd' : scope === 'admin' ? base : '-/runners'
  const own = scope === 'admin' ? base : '-/runners'
  const crumbs = [...(inProject ? [{ label: 'CI/CD settings', to: list }] : [{ label: 'Runners', to: list }])]
  const meta: RouteMeta = { scope, nav: inProject ? 'settings-ci-cd' : 'runners' }
  const runner = [...crumbs, { label: '#:id', to: `${own}/:id` }]
  return [
    { path: `${base}/new`, component: () => import('./runners/RunnerNewPage.vue'), meta: { ...meta, title: `New ${kind} runner`, crumbs } },
    { path: `${base}/:id(\\d+)`, component: () => import('./runners/RunnerPage.vue'), meta: { ...meta, title: 'Runner', crumbs } },
    {
      path: `${base}/:id(\\d+)/register`,
      component: () => import('./runners/RunnerRegisterPage.vue'),
      meta: { ...meta, title: 'Register runner', crumbs: runner },
    },
    { path: `${base}/:id(\\d+)/edit`, component: () => import('./runners/RunnerEditPage.vue'), meta: { ...meta, title: 'Edit runner', crumbs: runner } },
  ]
}

export const pageRoutes: RouteRecordRaw[] = [
  {
    path: '/users/sign_in',
    component: () => import('./SignInPage.vue'),
    meta: { scope: 'none', anonymous: true, title: 'Sign in' },
  },
  { path: '/', redirect: '/dashboard/projects' },
  {
    path: '/admin/runners',
    component: () => import('./runners/RunnerListPage.vue'),
    meta: { scope: 'admin', nav: 'runners', title: 'Runners' },
  },
  ...runnerRoutes('/admin/runners', 'admin', 'instance'),
  {
    path: '/groups/:group(.+)/-/runners',
    component: () => import('./runners/RunnerListPage.vue'),
    meta: { scope: 'group', nav: 'runners', title: 'Runners' },
  },
  ...runnerRoutes('/groups/:group(.+)/-/runners', 'group', 'group'),
  ...runnerRoutes('/:project(.+)/-/runners', 'project', 'project'),
  {
    path: '/groups/:group(.+)',
    component: () => import('./groups/GroupHome.vue'),
    meta: { scope: 'group', nav: 'overview' },
  },
  // Every other address may be a group, a project or a person; the server tells.
  { path: '/:full_path(.+)', component: () => import('./NamespacePage.vue'), meta: { scope: 'namespace', nav: 'overview' } },
  { path: '/:all(.*)*', name: 'not-found', component: () => import('./NotFoundPage.vue') },
]
