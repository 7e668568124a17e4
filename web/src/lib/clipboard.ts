// Copying needs a secure page in today's browsers; a coordinator on plain http in a closed network has none, so the
// old way is kept as the second.
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(text)
  }
}

function copyBySelection(text: string): boolean {
  const field = document.createElement('textarea')
  field.value = text
  field.className = 'visually-hidden'
  field.setAttribute('aria-hidden', 'true')
  // Inside an open modal dialog everything outside of it is inert and cannot be selected.
  const host = document.querySelector('dialog[open]') ?? document.body
  const focused = document.activeElement as HTMLElement | null
  host.append(field)
  field.select()
  let done = false
  try {
    done = document.execCommand('copy')
  } catch {
    done = false
  }
  field.remove()
  focused?.focus()
  return done
}
