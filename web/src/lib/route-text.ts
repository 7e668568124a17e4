import type { RouteParams } from 'vue-router'

/** "Runner #:id" with the values of the address: "Runner #12". */
export function fillParams(text: string, params: RouteParams): string {
  return text.replace(/:(\w+)/g, (whole, name: string) => {
    const value = params[name]
    return Array.isArray(value) ? value.join('/') : value || whole
  })
}
