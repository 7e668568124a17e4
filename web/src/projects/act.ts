// Something that a button does: one at a time, a message when it fails.
import { ref } from 'vue'
import { errorText, isAbort, post } from '@/api/client'
import { toast } from '@/lib/toasts'

export function useAction() {
  // Name of what is under way, for the button that shows it.
  const busy = ref('')

  async function act(name: string, run: () => Promise<unknown>, said = ''): Promise<boolean> {
    if (busy.value) return false
    busy.value = name
    try {
      await run()
      if (said) toast(said)
      return true
    } catch (error) {
      if (!isAbort(error)) toast(errorText(error), 'bad')
      return false
    } finally {
      busy.value = ''
    }
  }

  return { busy, act }
}

export type JobAction = 'play' | 'retry' | 'cancel' | 'erase'

export const jobAction = (project: number, job: number, action: JobAction, body?: unknown) =>
  post<{ id: number }>(`/api/v4/projects/${project}/jobs/${job}/${action}`, body ?? {})

export const pipelineAction = (project: number, pipeline: number, action: 'retry' | 'cancel') =>
  post(`/api/v4/projects/${project}/pipelines/${pipeline}/${action}`, {})
