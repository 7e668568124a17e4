// What all form fields share: a label, help and error texts tied to the control by ids.
import { computed, useId } from 'vue'

export interface FieldProps {
  label: string
  help?: string
  error?: string
  optional?: boolean
  required?: boolean
  disabled?: boolean
}

export function useField(props: FieldProps) {
  const id = useId()
  const describedBy = computed(
    () => [props.error && `${id}-error`, props.help && `${id}-help`].filter(Boolean).join(' ') || undefined,
  )
  return { id, describedBy }
}
