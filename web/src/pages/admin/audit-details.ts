// The details of an audit event as lines: `name: value`, or `name: old → new` where a change was recorded.
export function detailLines(details: Record<string, unknown> | null): string[] {
  if (!details) return []
  return Object.entries(details).flatMap(([key, value]) => {
    // What was changed or set comes one by one; empty values of a new thing say nothing.
    if (key === 'changes' || key === 'attributes') return detailLines(value as Record<string, unknown>)
    const empty = value === null || value === '' || (Array.isArray(value) && !value.length)
    return empty ? [] : [`${key.replace(/_/g, ' ')}: ${show(value)}`]
  })
}

function show(value: unknown): string {
  if (Array.isArray(value)) return value.map(show).join(', ') || 'none'
  if (typeof value === 'object' && value !== null) {
    const entry = value as Record<string, unknown>
    if ('from' in entry || 'to' in entry) return `${show(entry.from)} → ${show(entry.to)}`
    return Object.entries(entry).map(([key, inner]) => `${key.replace(/_/g, ' ')}: ${show(inner)}`).join(', ')
  }
  if (value === null || value === undefined || value === '') return 'none'
  return String(value)
}
