// Light, dark or as the system has it. Kept in the browser, not in the account: it belongs to the screen.
import { ref } from 'vue'

export type Theme = 'system' | 'light' | 'dark'
const kKey = 'forerunner.theme'

function stored(): Theme {
  try {
    const value = localStorage.getItem(kKey)
    return value === 'light' || value === 'dark' ? value : 'system'
  } catch {
    return 'system'
  }
}

export const theme = ref<Theme>(stored())

export function setTheme(value: Theme): void {
  theme.value = value
  if (value === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = value
  try {
    if (value === 'system') localStorage.removeItem(kKey)
    else localStorage.setItem(kKey, value)
  } catch {
    // Storage may be forbidden; the choice then lasts until the page is reloaded.
  }
}
