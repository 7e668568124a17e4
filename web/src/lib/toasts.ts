// Short messages that outlive the page that caused them; ToastHost shows them.
import { reactive } from 'vue'

export interface Toast {
  id: number
  text: string
  kind: 'ok' | 'bad' | 'info'
}

export const toasts = reactive<Toast[]>([])
let next = 1

export function toast(text: string, kind: Toast['kind'] = 'ok'): void {
  const id = next++
  toasts.push({ id, text, kind })
  // Failures stay until they are dismissed: they must be readable.
  if (kind !== 'bad') window.setTimeout(() => dismissToast(id), 6000)
}

export function dismissToast(id: number): void {
  const at = toasts.findIndex((entry) => entry.id === id)
  if (at >= 0) toasts.splice(at, 1)
}
