// The time left until a moment, each second.
import { computed, onBeforeUnmount, onMounted, ref } from 'vue'
import { clockDuration } from '@/lib/time'

// '' when there is no moment or it has passed.
export function useCountdown(moment: () => string | null) {
  const now = ref(Date.now())
  let timer = 0
  onMounted(() => (timer = window.setInterval(() => (now.value = Date.now()), 1000)))
  onBeforeUnmount(() => window.clearInterval(timer))
  return computed(() => {
    const at = moment()
    const seconds = at ? (new Date(at).getTime() - now.value) / 1000 : 0
    return seconds > 0 ? clockDuration(seconds) : ''
  })
}

// The length of something that may still go on.
export function useElapsed(from: () => string | null, to: () => string | null, known: () => number | null) {
  const now = ref(Date.now())
  let timer = 0
  onMounted(() => (timer = window.setInterval(() => (now.value = Date.now()), 1000)))
  onBeforeUnmount(() => window.clearInterval(timer))
  return computed(() => {
    const start = from()
    if (to() !== null || start === null) return known()
    return Math.max(0, (now.value - new Date(start).getTime()) / 1000)
  })
}
