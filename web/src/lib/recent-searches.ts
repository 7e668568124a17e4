// The last few search texts of runner lists, newest first, in this browser only. A full token that was searched for is
// a secret and is not kept.
const kKey = 'forerunner.runner-searches'
const kMost = 5

export const looksSecret = (text: string) => /^(gl[a-z]+-|GR1348941|t[123]_)/.test(text) || /^\S{20,}$/.test(text)

export function recentSearches(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(kKey) ?? '[]')
    return Array.isArray(kept) ? kept.filter((entry): entry is string => typeof entry === 'string').slice(0, kMost) : []
  } catch {
    return []
  }
}

export function rememberSearch(text: string): string[] {
  if (looksSecret(text)) return recentSearches()
  const list = [text, ...recentSearches().filter((entry) => entry !== text)].slice(0, kMost)
  try {
    localStorage.setItem(kKey, JSON.stringify(list))
  } catch {
    // Without storage there is nothing to remember.
  }
  return list
}

export function forgetSearches(): void {
  try {
    localStorage.removeItem(kKey)
  } catch {
    // Nothing was kept either.
  }
}
