import { describe, expect, it, vi } from 'vitest'
import { buildUrl, get, pageInfo, parseError, post, setRecovery, writesSettled } from './client'

describe('buildUrl', () => {
  it('leaves out what has no value and repeats lists', () => {
    expect(buildUrl('/a', { q: 'x y', none: null, empty: '', 'tag[]': ['a', 'b&c'], off: false })).toBe(
      '/a?q=x+y&tag%5B%5D=a&tag%5B%5D=b%26c&off=false',
    )
    expect(buildUrl('/a', { none: undefined })).toBe('/a')
  })
})

describe('parseError', () => {
  it('keeps the reason behind the status words', () => {
    expect(parseError(400, { message: '400 Bad request - Maximum timeout needs to be at least 10 minutes' }).message).toBe(
      'Maximum timeout needs to be at least 10 minutes',
    )
    expect(parseError(400, { error: 'group_id is missing' }).message).toBe('group_id is missing')
  })

  it('gives messages by attribute', () => {
    const error = parseError(400, { message: { maximum_timeout: ['needs to be at least 10 minutes'], base: ['Too many'] } })
    expect(error.fields.maximum_timeout).toEqual(['needs to be at least 10 minutes'])
    expect(error.message).toBe('Maximum timeout needs to be at least 10 minutes; Too many')
  })

  it('has words of its own when the answer has none', () => {
    expect(parseError(403, null).message).toBe('You may not do this.')
    expect(parseError(502, 'oops').message).toContain('502')
  })
})

describe('pageInfo', () => {
  it('reads empty headers as absent', () => {
    const info = pageInfo(new Headers({ 'X-Page': '2', 'X-Next-Page': '', 'X-Prev-Page': '1', 'X-Total': '21' }))
    expect(info).toEqual({ page: 2, perPage: 20, nextPage: null, prevPage: 1, total: 21, totalPages: null })
  })
})

describe('a lost session', () => {
  const answer = (status: number, body: unknown = {}) => new Response(JSON.stringify(body), { status })

  it('is tried once more when it comes back', async () => {
    const statuses = [401, 200]
    vi.stubGlobal('fetch', vi.fn(async () => answer(statuses.shift()!, { ok: true })))
    setRecovery(async () => true)
    expect(await post('/api/v4/x')).toEqual({ ok: true })
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  it('fails when it does not', async () => {
    vi.stubGlobal('fetch', vi.fn(async () => answer(401)))
    setRecovery(async () => false)
    await expect(post('/api/v4/x')).rejects.toMatchObject({ status: 401 })
    expect(fetch).toHaveBeenCalledTimes(1)
  })

  it('is not suspected when a password was wrong', async () => {
    const recovery = vi.fn(async () => true)
    vi.stubGlobal('fetch', vi.fn(async () => answer(401, { message: 'Invalid login or password.' })))
    setRecovery(recovery)
    await expect(post('/-/web/session')).rejects.toThrow('Invalid login or password.')
    expect(recovery).not.toHaveBeenCalled()
  })
})

describe('writesSettled', () => {
  it('waits for what is being written, not for what is read', async () => {
    const done: string[] = []
    const later = (what: string) => new Promise<Response>((resolve) => setTimeout(() => (done.push(what), resolve(new Response('{}'))), 5))
    vi.stubGlobal('fetch', vi.fn((_: string, init: RequestInit) => (init.method === 'GET' ? new Promise<Response>(() => undefined) : later(init.method!))))
    void get('/api/v4/never')
    void post('/api/v4/x')
    await writesSettled()
    expect(done).toEqual(['POST'])
  })

  it('does not mind a failure', async () => {
    vi.stubGlobal('fetch', vi.fn(async () => new Response('{}', { status: 500 })))
    const failing = post('/api/v4/x')
    await writesSettled()
    await expect(failing).rejects.toMatchObject({ status: 500 })
  })
})
