// A list whose filters and page stand in the address, so that what one sees can be shared and gone back to.
import { watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { getPage, type Page } from '@/api/client'
import { useLoad } from '@/lib/load'

export function useList<T>(url: string, filters: readonly string[], fixed: Record<string, string> = {}) {
  const route = useRoute()
  const router = useRouter()
  // Always named: without it the router would write the slashes of a project's path as %2F.
  const here = route.path

  const value = (name: string): string => {
    const found = route.query[name]
    return typeof found === 'string' ? found : ''
  }
  const query = () => {
    const wanted: Record<string, string> = { ...fixed }
    for (const name of [...filters, 'page']) if (value(name)) wanted[name] = value(name)
    return wanted
  }
  const loaded = useLoad<Page<T>>(() => getPage<T>(url, query()))

  watch(() => route.query, () => {
    if (route.path === here) void loaded.reload()
  })

  // The address without the named parts; what belongs to others in it stays.
  const without = (...names: string[]) => Object.fromEntries(Object.entries(route.query).filter(([key]) => !names.includes(key)))

  // Setting a filter goes back to the first page.
  function set(name: string, to: string) {
    void router.replace({ path: here, query: { ...without('page', name), ...(to === '' ? {} : { [name]: to }) } })
  }

  function goTo(page: number | null) {
    void router.push({ path: here, query: { ...without('page'), ...(page && page > 1 ? { page } : {}) } })
  }

  return {
    ...loaded,
    value,
    set,
    goTo,
    filtered: () => filters.some((name) => value(name) !== ''),
    clear: () => void router.replace({ path: here, query: without('page', ...filters) }),
  }
}

export function pageText(page: Page<unknown> | null): string {
  if (!page || page.info.total === null) return ''
  if (page.info.total === 0) return ''
  const first = (page.info.page - 1) * page.info.perPage + 1
  return `${first}–${first + page.items.length - 1} of ${page.info.total}`
}
