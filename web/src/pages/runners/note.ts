// The little of Markdown that maintenance notes are written in.
export type NoteInline =
  | { kind: 'text' | 'code' | 'strong' | 'em'; text: string }
  | { kind: 'link'; text: string; href: string }

export type NoteBlock = { kind: 'text'; parts: NoteInline[] } | { kind: 'list'; items: NoteInline[][] }

const kInline =
  /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\((https?:\/\/[^\s)]+|\/[^\s)/][^\s)]*)\)|(https?:\/\/[^\s<>"')\]]+[^\s<>"')\].,;:!?])/g

export function parseInline(text: string): NoteInline[] {
  const parts: NoteInline[] = []
  let at = 0
  for (const match of text.matchAll(kInline)) {
    if (match.index > at) parts.push({ kind: 'text', text: text.slice(at, match.index) })
    const [whole, code, strong, em, label, href, bare] = match
    if (code) parts.push({ kind: 'code', text: code })
    else if (strong) parts.push({ kind: 'strong', text: strong })
    else if (em) parts.push({ kind: 'em', text: em })
    else if (label && href) parts.push({ kind: 'link', text: label, href })
    else if (bare) parts.push({ kind: 'link', text: bare, href: bare })
    at = match.index + whole.length
  }
  if (at < text.length) parts.push({ kind: 'text', text: text.slice(at) })
  return parts
}

export function parseNote(text: string): NoteBlock[] {
  const blocks: NoteBlock[] = []
  for (const chunk of text.replace(/\r\n?/g, '\n').split(/\n\s*\n/)) {
    const lines = chunk.split('\n').filter((line) => line.trim())
    if (!lines.length) continue
    if (lines.every((line) => /^\s*[-*] /.test(line))) {
      blocks.push({ kind: 'list', items: lines.map((line) => parseInline(line.replace(/^\s*[-*] /, ''))) })
    } else blocks.push({ kind: 'text', parts: parseInline(lines.join('\n')) })
  }
  return blocks
}
