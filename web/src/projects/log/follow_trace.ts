// Brings the log of a job from the server to the parser, piece by piece until it is complete. Survives errors of the
// network and the server, a hidden page, and a log that was erased meanwhile.
import { ApiError, errorText, isAbort, send } from '@/api/client'
import { Pace } from './follow'

export interface TraceEvents {
  // `start`: offset of the first byte; less than what was seen before means: the log begins anew.
  bytes(start: number, bytes: Uint8Array): void
  status(status: string): void
  complete(): void
  // A text while there is trouble, '' when it is over; `final`: no further attempt.
  trouble(text: string, final: boolean): void
}

const REFUSED = [401, 403, 404]

export function followTrace(url: string, events: TraceEvents): () => void {
  const stopped = new AbortController()
  const pace = new Pace()
  let offset = 0
  let timer = 0
  let waitsForView = false

  function again(delay: number): void {
    if (stopped.signal.aborted) return
    if (document.hidden) waitsForView = true
    else timer = window.setTimeout(() => void ask(), delay)
  }

  function onVisible(): void {
    if (document.hidden || !waitsForView) return
    waitsForView = false
    void ask()
  }

  async function ask(): Promise<void> {
    try {
      const answer = await send('GET', url, { query: { offset }, signal: stopped.signal, detached: true })
      const bytes = new Uint8Array(await answer.arrayBuffer())
      if (!stopped.signal.aborted) take(answer.headers, bytes)
    } catch (error) {
      if (isAbort(error) || stopped.signal.aborted) return
      const final = error instanceof ApiError && REFUSED.includes(error.status)
      events.trouble(errorText(error), final)
      if (final) stop()
      else again(pace.failed())
    }
  }

  function take(headers: Headers, bytes: Uint8Array): void {
    events.trouble('', false)
    const size = Number(headers.get('X-Trace-Size') ?? offset + bytes.length)
    if (size < offset) {
      offset = 0
      events.bytes(0, new Uint8Array())
      again(0)
      return
    }
    if (bytes.length > 0) events.bytes(offset, bytes)
    offset += bytes.length
    const status = headers.get('X-Trace-Status')
    if (status) events.status(status)
    if (offset < size && bytes.length > 0) again(0)
    else if (headers.get('X-Trace-Complete') === 'true') {
      stop()
      events.complete()
    } else again(pace.answered(bytes.length > 0))
  }

  function stop(): void {
    stopped.abort()
    window.clearTimeout(timer)
    document.removeEventListener('visibilitychange', onVisible)
  }

  document.addEventListener('visibilitychange', onVisible)
  void ask()
  return stop
}
