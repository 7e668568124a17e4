// A form's way from Submit to done, the same for all: faults that the page itself finds stand beside their fields and
// the first takes the focus; then the server's word, shown above the form. What was typed stays.
import { nextTick, ref, type Ref } from 'vue'
import { errorText, isAbort } from '@/api/client'

interface Steps {
  /** Whether everything can be sent; marks the fields that cannot. */
  check?: () => boolean
  send: () => Promise<unknown>
  /** Puts what the server said beside fields and answers what has none. */
  explain?: (error: unknown) => string
}

export interface SubmittedForm {
  element: Ref<HTMLFormElement | undefined>
  busy: Ref<boolean>
  failure: Ref<string>
  submit: () => Promise<void>
}

export function useForm({ check, send, explain = errorText }: Steps): SubmittedForm {
  const element = ref<HTMLFormElement>()
  const busy = ref(false)
  const failure = ref('')

  async function focusFault() {
    await nextTick()
    element.value?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
  }

  async function submit() {
    failure.value = ''
    if (check && !check()) return focusFault()
    busy.value = true
    try {
      await send()
    } catch (error) {
      if (isAbort(error)) return
      failure.value = explain(error)
      if (failure.value) window.scrollTo({ top: 0 })
      else await focusFault()
    } finally {
      busy.value = false
    }
  }

  return { element, busy, failure, submit }
}
