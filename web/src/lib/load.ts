// One reading of a page: its data, whether it is under way, what went wrong; and doing it again.
import { ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { errorText, isAbort } from '@/api/client'

export interface Loaded<T> {
  data: ShallowRef<T | null>
  busy: Ref<boolean>
  problem: Ref<string>
  reload: () => Promise<void>
}

/** Runs `read` at once; only the newest answer counts when several are under way. */
export function useLoad<T>(read: () => Promise<T>): Loaded<T> {
  const data = shallowRef<T | null>(null)
  const busy = ref(false)
  const problem = ref('')
  let newest = 0

  async function reload() {
    const mine = ++newest
    busy.value = true
    try {
      const answer = await read()
      if (mine !== newest) return
      data.value = answer
      problem.value = ''
    } catch (error) {
      if (mine === newest && !isAbort(error)) problem.value = errorText(error)
    } finally {
      if (mine === newest) busy.value = false
    }
  }

  void reload()
  return { data, busy, problem, reload }
}
