// Repeats something while the page is open and visible; never twice at once, slower when it fails.
import { onBeforeUnmount, onMounted } from 'vue'

export function usePoll(every: number, run: () => Promise<unknown>): { stop: () => void } {
  let timer = 0
  let stopped = false
  let failures = 0

  function plan() {
    if (!stopped) timer = window.setTimeout(tick, every * Math.min(2 ** failures, 16))
  }

  async function tick() {
    if (document.hidden) return plan()
    try {
      await run()
      failures = 0
    } catch {
      failures++
    }
    plan()
  }

  // Coming back to the tab shows fresh values at once.
  function onVisible() {
    if (document.hidden || stopped) return
    clearTimeout(timer)
    void tick()
  }

  const stop = () => {
    stopped = true
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', onVisible)
  }

  onMounted(() => {
    document.addEventListener('visibilitychange', onVisible)
    plan()
  })
  onBeforeUnmount(stop)
  return { stop }
}
