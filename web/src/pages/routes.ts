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
    { path: `${base}/:id(\\d+)`, component: () => import('./runners/RunnerPage.vue'), meta: { ...meta, title: 'Runner #:id', crumbs } },
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
  { path: '/dashboard/groups', component: () => import('./groups/GroupsPage.vue'), meta: { scope: 'work', nav: 'groups', title: 'Groups' } },
  { path: '/groups/new', component: () => import('./groups/GroupNewPage.vue'), meta: { scope: 'work', nav: 'groups', title: 'New group' } },
  {
    path: '/-/user_settings/personal_access_tokens',
    component: () => import('./tokens/AccessTokensPage.vue'),
    meta: { scope: 'user', nav: 'access-tokens', title: 'Access tokens' },
  },
  { path: '/-/user_settings/profile', component: () => import('./user/ProfilePage.vue'), meta: { scope: 'user', nav: 'profile', title: 'Profile' } },
  {
    path: '/-/help/runner_registration',
    component: () => import('./HelpRegistrationPage.vue'),
    meta: { scope: 'work', title: 'Migrating to the new runner registration workflow' },
  },

  { path: '/admin', component: () => import('./admin/OverviewPage.vue'), meta: { scope: 'admin', nav: 'overview', title: 'Overview' } },
  { path: '/admin/users', component: () => import('./admin/UsersPage.vue'), meta: { scope: 'admin', nav: 'users', title: 'Users' } },
  {
    path: '/admin/users/new',
    component: () => import('./admin/UserNewPage.vue'),
    meta: { scope: 'admin', nav: 'users', title: 'New user', crumbs: [{ label: 'Users', to: '/admin/users' }] },
  },
  {
    path: '/admin/users/:username',
    component: () => import('./admin/UserEditPage.vue'),
    meta: { scope: 'admin', nav: 'users', title: 'User', crumbs: [{ label: 'Users', to: '/admin/users' }] },
  },
  { path: '/admin/audit_log', component: () => import('./admin/AuditPage.vue'), meta: { scope: 'admin', nav: 'audit', title: 'Audit log' } },
  {
    path: '/admin/application_settings/ci_cd',
    component: () => import('./settings/AdminCiSettings.vue'),
    meta: { scope: 'admin', nav: 'settings-ci-cd', title: 'CI/CD Settings' },
  },
  // An administrator's page of a group is its settings, where what only administrators may change is unlocked.
  { path: '/admin/groups/:group(.+)', redirect: (to) => `/groups/${String(to.params.group)}/-/settings/ci_cd` },
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
  {
    path: '/groups/:group(.+)/-/settings/ci_cd',
    component: () => import('./settings/GroupCiSettings.vue'),
    meta: { scope: 'group', nav: 'settings-ci-cd', title: 'CI/CD Settings' },
  },
  {
    path: '/groups/:group(.+)/-/settings/access_tokens',
    component: () => import('./tokens/AccessTokensPage.vue'),
    meta: { scope: 'group', nav: 'access-tokens', title: 'Access tokens' },
  },
  {
    path: '/groups/:group(.+)/-/group_members',
    component: () => import('./members/MembersPage.vue'),
    meta: { scope: 'group', nav: 'members', title: 'Members' },
  },
  {
    path: '/groups/:group(.+)/-/edit',
    component: () => import('./groups/GroupEditPage.vue'),
    meta: { scope: 'group', nav: 'general', title: 'General settings' },
  },

  ...runnerRoutes('/:project(.+)/-/runners', 'project', 'project'),
  {
    path: '/:project(.+)/-/settings/ci_cd',
    component: () => import('./settings/ProjectCiSettings.vue'),
    meta: { scope: 'project', nav: 'settings-ci-cd', title: 'CI/CD Settings' },
  },
  {
    path: '/:project(.+)/-/settings/access_tokens',
    component: () => import('./tokens/AccessTokensPage.vue'),
    meta: { scope: 'project', nav: 'access-tokens', title: 'Access tokens' },
  },
  {
    path: '/:project(.+)/-/project_members',
    component: () => import('./members/MembersPage.vue'),
    meta: { scope: 'project', nav: 'members', title: 'Members' },
  },
  {
    path: '/groups/:group(.+)',
    component: () => import('./groups/GroupHome.vue'),
    meta: { scope: 'group', nav: 'overview' },
  },
  // Every other address may be a group, a project or a person; the server tells.
  { path: '/:full_path(.+)', component: () => import('./NamespacePage.vue'), meta: { scope: 'namespace', nav: 'overview' } },
  { path: '/:all(.*)*', name: 'not-found', component: () => import('./NotFoundPage.vue') },
]
