// What both forms for people share: the words for what the server says about a field.
import { reactive } from 'vue'
import { ApiError, errorText } from '@/api/client'

export interface AdminUser {
  id: number
  username: string
  name: string
  email: string
  state: string
  is_admin: boolean
  bot?: boolean
  created_at: string
  last_activity_on: string | null
}

export function useUserErrors() {
  const errors = reactive<Record<string, string>>({})
  return {
    errors,
    clear: () => Object.keys(errors).forEach((key) => delete errors[key]),
    /** Puts messages beside their fields; what has no field comes back as text. */
    take(error: unknown): string {
      if (error instanceof ApiError && Object.keys(error.fields).length) {
        for (const [key, messages] of Object.entries(error.fields)) errors[key] = messages.join(', ')
        return ''
      }
      const text = errorText(error)
      if (/email/i.test(text)) errors.email = text
      else if (/username/i.test(text)) errors.username = text
      else return text
      return ''
    },
  }
}
