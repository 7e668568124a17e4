// One ticking clock for all relative times of a page; it runs only while somebody looks at one.
import { onBeforeUnmount, onMounted, ref } from 'vue'

const now = ref(Date.now())
let watchers = 0
let timer = 0

export function useNow() {
  onMounted(() => {
    now.value = Date.now()
    if (watchers++ === 0) timer = window.setInterval(() => (now.value = Date.now()), 15_000)
  })
  onBeforeUnmount(() => {
    if (--watchers === 0) clearInterval(timer)
  })
  return now
}
