// Who is signed in and what the instance allows; read once at start and again after signing in or out.
import { reactive } from 'vue'
import { ApiError, del, get, post, setCsrfToken, writesSettled } from './api/client'
import type { Abilities, Context, CurrentUser, InstanceSettings } from './api/types'

interface Session {
  user: CurrentUser | null
  version: string
  features: Context['features']
  settings: InstanceSettings
  abilities: Abilities
  /** The runner program as this server offers it, by "linux/amd64". */
  downloads: Record<string, string>
  externalUrl: string
  loaded: boolean
}

export const session = reactive<Session>({
  user: null,
  version: '',
  features: {},
  settings: {},
  abilities: {},
  downloads: {},
  externalUrl: '',
  loaded: false,
})

function adopt(context: Context): void {
  setCsrfToken(context.csrf_token)
  session.user = context.user
  session.version = context.version?.forerunner ?? ''
  session.features = context.features
  session.settings = context.settings
  session.abilities = context.abilities ?? {}
  session.downloads = context.downloads ?? {}
  session.externalUrl = (context.external_url || location.origin).replace(/\/+$/, '')
  session.loaded = true
}

export async function loadContext(): Promise<void> {
  adopt(await get<Context>('/-/web/context', undefined, { detached: true }))
}

/** Signs in and answers where to go: the page that was asked for, if it is one of ours. */
export async function signIn(login: string, password: string, rememberMe: boolean, returnTo: unknown): Promise<string> {
  const redirect = safeReturnPath(returnTo)
  const answer = await post<{ csrf_token: string; redirect?: string }>('/-/web/session', {
    login,
    password,
    remember_me: rememberMe,
    redirect_to: redirect,
  })
  setCsrfToken(answer.csrf_token)
  await loadContext()
  return safeReturnPath(answer.redirect ?? redirect)
}

export async function signOut(): Promise<void> {
  // A password change that is still under way would open a new session after this one has ended.
  await writesSettled()
  const end = () => del('/-/web/session')
  try {
    await end()
  } catch (error) {
    // It, or another tab, also changed the token against forged requests.
    if (!(error instanceof ApiError)) throw error
    await loadContext()
    if (session.user) await end()
  }
  session.user = null
  await loadContext()
}

/** Only a path of this site may be returned to; anything else could be a trap set by a link. */
export function safeReturnPath(value: unknown): string {
  if (typeof value !== 'string' || !value.startsWith('/') || value.startsWith('//')) return '/'
  try {
    const url = new URL(value, location.origin)
    return url.origin === location.origin ? url.pathname + url.search + url.hash : '/'
  } catch {
    return '/'
  }
}
