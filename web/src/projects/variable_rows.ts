// Rows of a form for variables, and what is sent of them.

export interface VariableInput {
  key: string
  value: string
}

export const emptyRows = (): VariableInput[] => [{ key: '', value: '' }]

export const filled = (rows: readonly VariableInput[]) =>
  rows.filter((row) => row.key.trim() !== '').map((row) => ({ key: row.key.trim(), value: row.value }))

export function variableProblem(rows: readonly VariableInput[]): string {
  for (const { key, value } of rows) {
    if (key.trim() === '' && value !== '') return 'Every variable needs a key.'
    if (key.trim() !== '' && !/^\w+$/.test(key.trim())) return `“${key.trim()}” is no key: use letters, digits and _.`
  }
  return ''
}
