// Addresses to pages. Static ones first; then those below a group or project, whose path may hold any number of
// slashes. What exists and who may see it is the server's decision (page.ts), asked before such a page opens.
import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router'
import { abortReads, errorText, isAbort, setRecovery } from './api/client'
import { fillParams } from './lib/route-text'
import { lookUpPage, page, setPage } from './page'
import { pageRoutes } from './pages/routes'
import { projectRoutes } from './projects/routes'
import { loadContext, session } from './session'

export const router = createRouter({
  history: createWebHistory('/'),
  routes: [...projectRoutes, ...pageRoutes],
  scrollBehavior(to, from, saved) {
    if (saved) return saved
    if (to.hash) return { el: to.hash, top: 16 }
    return to.path === from.path ? undefined : { top: 0 }
  },
})

const signInAddress = (to: RouteLocationNormalized | { fullPath: string }) => ({
  path: '/users/sign_in',
  query: to.fullPath === '/' ? {} : { redirect_to: to.fullPath },
})

// Another tab may have signed in again, which changed the token; only a session that is really gone ends here.
setRecovery(async () => {
  const before = session.user?.id
  await loadContext().catch(() => undefined)
  if (session.user && session.user.id === before) return true
  if (!router.currentRoute.value.meta.anonymous) void router.push(signInAddress(router.currentRoute.value))
  return false
})

router.beforeEach(async (to, from) => {
  if (to.path !== from.path) abortReads()
  if (!to.meta.anonymous && session.loaded && !session.user) return signInAddress(to)
  const scope = to.meta.scope
  if (to.path === from.path && page.status === 200) return true
  if (scope === 'admin' && session.user && !session.user.admin) {
    setPage({ status: 404 })
    return true
  }
  if (scope !== 'group' && scope !== 'project' && scope !== 'namespace') {
    setPage({ status: to.name === 'not-found' ? 404 : 200 })
    return true
  }
  try {
    const answer = await lookUpPage(to.path)
    if (answer.status === 302 && answer.location) return answer.location
    setPage(answer)
  } catch (error) {
    if (isAbort(error)) return false
    setPage({ status: 500 })
    page.error = errorText(error)
  }
  return true
})

router.afterEach((to, from) => {
  const place = page.project?.name_with_namespace ?? page.group?.full_name
  const title = page.status === 200 ? to.meta.title && fillParams(to.meta.title, to.params) : 'Not found'
  document.title = [title, place, 'Forerunner'].filter(Boolean).join(' · ')
  // A new page starts at its heading for those who navigate by keyboard or screen reader.
  if (from.matched.length && to.path !== from.path) {
    requestAnimationFrame(() => document.getElementById('content')?.focus({ preventScroll: true }))
  }
})
