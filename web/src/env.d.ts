/// <reference types="vite/client" />
import 'vue-router'

declare module 'vue-router' {
  interface RouteMeta {
    /** Which sidebar is shown, and whether the page's group or project is looked up before it opens. */
    scope?: 'work' | 'admin' | 'group' | 'project' | 'namespace' | 'user' | 'none'
    /** Key of the sidebar entry to mark as current. */
    nav?: string
    /** First part of the document's title. */
    title?: string
    /** Open to people who are not signed in. */
    anonymous?: boolean
    /** Names of the pages above this one, for the breadcrumbs; `to` is relative to the group or project. */
    crumbs?: { label: string; to?: string }[]
  }
}
