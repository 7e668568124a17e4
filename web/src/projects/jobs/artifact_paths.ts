// Paths inside an archive of artifacts, as they stand in addresses. Pure.

// The folder of the address, with a slash at its end; '' is the top.
export function folderOf(parameter: string | string[] | undefined): string {
  const text = (Array.isArray(parameter) ? parameter.join('/') : (parameter ?? '')).replace(/^\/+|\/+$/g, '')
  return text === '' ? '' : `${text}/`
}

export const encodePath = (path: string) => path.replace(/\/+$/, '').split('/').map(encodeURIComponent).join('/')

export function trailOf(folder: string): { name: string; path: string }[] {
  const parts = folder.split('/').filter(Boolean)
  return parts.map((name, index) => ({ name, path: parts.slice(0, index + 1).join('/') }))
}
