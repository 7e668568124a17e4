// Addresses of the shell's, the administrators', the groups' and the runner pages. Each page is a file of its own that
// is loaded when first opened.
import type { RouteRecordRaw } from 'vue-router'

export const pageRoutes: RouteRecordRaw[] = [
  {
    path: '/users/sign_in',
    component: () => import('./SignInPage.vue'),
    meta: { scope: 'none', anonymous: true, title: 'Sign in' },
  },
  { path: '/', redirect: '/dashboard/projects' },
  {
    path: '/groups/:group(.+)',
    component: () => import('./groups/GroupHome.vue'),
    meta: { scope: 'group', nav: 'overview' },
  },
  // Every other address may be a group, a project or a person; the server tells.
  { path: '/:full_path(.+)', component: () => import('./NamespacePage.vue'), meta: { scope: 'namespace', nav: 'overview' } },
  { path: '/:all(.*)*', name: 'not-found', component: () => import('./NotFoundPage.vue') },
]
