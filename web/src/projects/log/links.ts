// Web addresses in a line of text. Only http and https, and none with a user name (`https://bank@evil.example` shows one
// host and leads to another). Pure.

export interface Link {
  readonly start: number
  readonly end: number
  readonly href: string
}

const CANDIDATE = /\bhttps?:\/\/[^\s<>"'`\\^{}|\x00-\x1f]{1,2000}/gi
const PARTNERS: Record<string, string> = { ')': '(', ']': '[' }

// Punctuation after an address belongs to the sentence, a closing bracket only if it was opened within.
function withoutTail(text: string): string {
  let end = text.length
  while (end > 0) {
    const last = text[end - 1]!
    const partner = PARTNERS[last]
    if (partner !== undefined) {
      const inside = text.slice(0, end)
      if (inside.split(partner).length >= inside.split(last).length) break
    } else if (!'.,;:!?*'.includes(last)) {
      break
    }
    end -= 1
  }
  return text.slice(0, end)
}

function safeAddress(text: string): string | null {
  try {
    const url = new URL(text)
    const plain = (url.protocol === 'http:' || url.protocol === 'https:') && url.username === '' && url.password === ''
    return plain ? url.href : null
  } catch {
    return null
  }
}

export function findLinks(text: string): Link[] {
  if (!text.includes('://')) return []
  const links: Link[] = []
  for (const found of text.matchAll(CANDIDATE)) {
    const address = withoutTail(found[0])
    const href = safeAddress(address)
    if (href) links.push({ start: found.index!, end: found.index! + address.length, href })
  }
  return links
}
