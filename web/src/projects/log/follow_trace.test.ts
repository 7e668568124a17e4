import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { followTrace, type TraceEvents } from './follow_trace'

// A server that has this much of a log, in answers of at most `piece` bytes.
const server = { log: '', piece: 1000, status: 'running', complete: false, failures: [] as (number | 'network')[], asked: [] as number[] }
const page = { hidden: false, listeners: new Set<() => void>() }

async function answer(address: string): Promise<Response> {
  const offset = Number(new URL(address, 'http://ci.example').searchParams.get('offset'))
  server.asked.push(offset)
  const failure = server.failures.shift()
  if (failure === 'network') throw new TypeError('failed to fetch')
  if (failure) return new Response('{"message":"no"}', { status: failure })
  const headers = { 'X-Trace-Size': String(server.log.length), 'X-Trace-Complete': String(server.complete), 'X-Trace-Status': server.status }
  return new Response(server.log.slice(offset, offset + server.piece), { headers })
}

function watchLog() {
  const seen = { text: '', statuses: [] as string[], complete: 0, troubles: [] as string[], restarts: 0 }
  const events: TraceEvents = {
    bytes(start, bytes) {
      if (start === 0 && seen.text) {
        seen.restarts += 1
        seen.text = ''
      }
      seen.text += new TextDecoder().decode(bytes)
    },
    status: (status) => seen.statuses.push(status),
    complete: () => (seen.complete += 1),
    trouble: (text, final) => text && seen.troubles.push(final ? `final: ${text}` : text),
  }
  return { seen, stop: followTrace('/trace', events) }
}

beforeEach(() => {
  vi.useFakeTimers()
  Object.assign(server, { log: '', piece: 1000, status: 'running', complete: false, failures: [], asked: [] })
  page.hidden = false
  vi.stubGlobal('fetch', answer)
  vi.stubGlobal('window', globalThis)
  vi.stubGlobal('document', {
    get hidden() {
      return page.hidden
    },
    addEventListener: (_: string, listener: () => void) => page.listeners.add(listener),
    removeEventListener: (_: string, listener: () => void) => page.listeners.delete(listener),
  })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('the log of a job', () => {
  it('is brought piece by piece, and asked for until it is complete', async () => {
    server.log = 'a'.repeat(2500)
    const { seen } = watchLog()
    await vi.advanceTimersByTimeAsync(100)
    expect(server.asked).toEqual([0, 1000, 2000])
    server.log += 'end'
    server.complete = true
    server.status = 'success'
    await vi.advanceTimersByTimeAsync(3000)
    expect(seen.text).toBe(server.log)
    expect(seen).toMatchObject({ complete: 1, troubles: [] })
    expect(seen.statuses[seen.statuses.length - 1]).toBe('success')
    const asked = server.asked.length
    await vi.advanceTimersByTimeAsync(60_000)
    expect(server.asked.length).toBe(asked)
  })

  it('survives a lost network and a troubled server', async () => {
    server.failures = ['network', 502, 'network']
    server.log = 'all'
    const { seen, stop } = watchLog()
    await vi.advanceTimersByTimeAsync(20_000)
    expect(seen.text).toBe('all')
    expect(seen.troubles.length).toBe(3)
    stop()
  })

  it('is given up when it is refused', async () => {
    server.failures = [403]
    const { seen } = watchLog()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(server.asked.length).toBe(1)
    expect(seen.troubles).toEqual([expect.stringMatching(/^final: /)])
  })

  it('begins anew when it was erased', async () => {
    server.log = 'old and long'
    const { seen, stop } = watchLog()
    await vi.advanceTimersByTimeAsync(100)
    server.log = 'new'
    await vi.advanceTimersByTimeAsync(5000)
    expect(seen).toMatchObject({ text: 'new', restarts: 1 })
    stop()
  })

  it('is not asked for while nobody looks, and at once when somebody does', async () => {
    server.log = 'x'
    const { seen, stop } = watchLog()
    await vi.advanceTimersByTimeAsync(100)
    page.hidden = true
    await vi.advanceTimersByTimeAsync(2000)
    const asked = server.asked.length
    await vi.advanceTimersByTimeAsync(60_000)
    expect(server.asked.length).toBe(asked)
    page.hidden = false
    server.log = 'xy'
    for (const listener of page.listeners) listener()
    await vi.advanceTimersByTimeAsync(10)
    expect(seen.text).toBe('xy')
    stop()
    expect(page.listeners.size).toBe(0)
  })
})
