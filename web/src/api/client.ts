// The only way from the pages to the server: JSON over fetch with the session's cookie and its CSRF token.
// Fails with ApiError (what the server said) or NetworkError (nothing was heard). A 401 of a signed-in person sends
// them to the sign-in page. Reading requests end when the person leaves the page they were made for.

export type Query = Record<string, string | number | boolean | null | undefined | (string | number)[]>

export interface RequestOptions {
  query?: Query
  body?: unknown
  signal?: AbortSignal
  headers?: Record<string, string>
  /** Keep going when the person leaves the page (writes always do). */
  detached?: boolean
}

/** What the server answered instead of success; `fields` holds messages by attribute, `message` one line for people. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly fields: Record<string, string[]> = {},
  ) {
    super(message)
    this.name = 'ApiError'
  }
}

export class NetworkError extends Error {
  constructor() {
    super('The server cannot be reached. Check the connection and try again.')
    this.name = 'NetworkError'
  }
}

export interface PageInfo {
  page: number
  perPage: number
  nextPage: number | null
  prevPage: number | null
  total: number | null
  totalPages: number | null
}

export interface Page<T> {
  items: T[]
  info: PageInfo
}

let csrfToken = ''
let recover: () => Promise<boolean> = () => Promise.resolve(false)
let leaving = new AbortController()
const writes = new Set<Promise<unknown>>()

export function setCsrfToken(token: string): void {
  csrfToken = token
}

/** Called on a 401: true when the session is there after all, as after signing in again in another tab. */
export function setRecovery(handler: () => Promise<boolean>): void {
  recover = handler
}

/** Called by the router when another page opens: ends what the old page still reads. */
export function abortReads(): void {
  leaving.abort()
  leaving = new AbortController()
}

/** When everything that was being written has been answered, well or not. */
export async function writesSettled(): Promise<void> {
  await Promise.allSettled(writes)
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

export function errorText(error: unknown): string {
  if (error instanceof ApiError || error instanceof NetworkError) return error.message
  return 'Something went wrong in this page. Reload it and try again.'
}

export function buildUrl(path: string, query?: Query): string {
  if (!query) return path
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === '') continue
    if (Array.isArray(value)) for (const item of value) params.append(key, String(item))
    else params.append(key, String(value))
  }
  const text = params.toString()
  return text ? `${path}?${text}` : path
}

/** The server's three error shapes made into one line and messages by attribute. */
export function parseError(status: number, body: unknown): ApiError {
  const object = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  const said = object.message ?? object.error_description ?? object.error
  if (typeof said === 'string' && said) {
    // "400 Bad request - Tags list is …": the reason is what people need.
    const reason = /^\d{3} [A-Za-z ]+ - (.+)$/s.exec(said)
    return new ApiError(status, reason ? reason[1] : said)
  }
  if (typeof said === 'object' && said !== null) {
    const fields: Record<string, string[]> = {}
    const lines: string[] = []
    for (const [key, value] of Object.entries(said as Record<string, unknown>)) {
      const messages = (Array.isArray(value) ? value : [value]).map(String)
      fields[key] = messages
      for (const message of messages) lines.push(key === 'base' || key === 'error' ? message : `${words(key)} ${message}`)
    }
    if (lines.length) return new ApiError(status, lines.join('; '), fields)
  }
  const plain: Record<number, string> = {
    401: 'You are not signed in.',
    403: 'You may not do this.',
    404: 'This does not exist, or you may not see it.',
    409: 'This was changed in the meantime. Reload the page and try again.',
    413: 'This is too large.',
    429: 'Too many requests. Wait a moment and try again.',
  }
  return new ApiError(status, plain[status] ?? `The server answered with an error (${status}).`)
}

function words(key: string): string {
  const text = key.split('.').pop()!.replace(/_/g, ' ')
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** The answer as it came; throws for anything but success. For logs and other bodies that are not JSON. */
export async function send(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
  const answer = exchange(method, path, options)
  if (method !== 'GET') {
    writes.add(answer)
    answer.catch(() => undefined).finally(() => writes.delete(answer))
  }
  return answer
}

async function exchange(method: string, path: string, options: RequestOptions): Promise<Response> {
  const response = await attempt(method, path, options)
  if (response.ok) return response
  // A wrong password is no lost session.
  const lost = response.status === 401 && !path.startsWith('/-/web/session') && path !== '/-/web/context'
  if (lost && (await recover())) {
    const second = await attempt(method, path, options)
    if (second.ok) return second
    throw parseError(second.status, await second.json().catch(() => null))
  }
  throw parseError(response.status, await response.json().catch(() => null))
}

async function attempt(method: string, path: string, options: RequestOptions): Promise<Response> {
  const reading = method === 'GET'
  const headers: Record<string, string> = { Accept: 'application/json', ...options.headers }
  if (!reading && csrfToken) headers['X-CSRF-Token'] = csrfToken
  let body: BodyInit | undefined
  if (options.body instanceof FormData) body = options.body
  else if (options.body !== undefined) {
    headers['Content-Type'] = 'application/json'
    body = JSON.stringify(options.body)
  }
  const signals = [options.signal, reading && !options.detached ? leaving.signal : undefined]
  try {
    return await fetch(buildUrl(path, options.query), {
      method,
      headers,
      body,
      credentials: 'same-origin',
      signal: anySignal(signals),
    })
  } catch (error) {
    if (isAbort(error)) throw error
    throw new NetworkError()
  }
}

export async function request<T>(method: string, path: string, options?: RequestOptions): Promise<T> {
  const response = await send(method, path, options)
  if (response.status === 204) return undefined as T
  const text = await response.text()
  return (text ? JSON.parse(text) : undefined) as T
}

export const get = <T>(path: string, query?: Query, options?: RequestOptions) =>
  request<T>('GET', path, { ...options, query })
export const post = <T>(path: string, body?: unknown, options?: RequestOptions) =>
  request<T>('POST', path, { ...options, body })
export const put = <T>(path: string, body?: unknown, options?: RequestOptions) =>
  request<T>('PUT', path, { ...options, body })
export const del = <T = void>(path: string, options?: RequestOptions) => request<T>('DELETE', path, options)

/** A list with the offset paging of REST. */
export async function getPage<T>(path: string, query?: Query, options?: RequestOptions): Promise<Page<T>> {
  const response = await send('GET', path, { ...options, query })
  const items = (await response.json()) as T[]
  return { items, info: pageInfo(response.headers) }
}

export function pageInfo(headers: Headers): PageInfo {
  const number = (name: string) => {
    const value = headers.get(name)
    return value ? Number(value) : null
  }
  return {
    page: number('X-Page') ?? 1,
    perPage: number('X-Per-Page') ?? 20,
    nextPage: number('X-Next-Page'),
    prevPage: number('X-Prev-Page'),
    total: number('X-Total'),
    totalPages: number('X-Total-Pages'),
  }
}

/** Path of a group or project in a REST address: the number, or the whole path with its slashes encoded. */
export const refOf = (id: number | string) => encodeURIComponent(String(id))

// AbortSignal.any is younger than the browsers we support.
function anySignal(signals: (AbortSignal | undefined)[]): AbortSignal | undefined {
  const given = signals.filter((signal): signal is AbortSignal => signal !== undefined)
  if (given.length < 2) return given[0]
  const controller = new AbortController()
  for (const signal of given) {
    if (signal.aborted) controller.abort()
    else signal.addEventListener('abort', () => controller.abort(), { once: true })
  }
  return controller.signal
}
