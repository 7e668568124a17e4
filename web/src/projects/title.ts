// A document title that names what is open; the router's own knows only the kind of page, and sets it again whenever the
// address changes.
import { watch } from 'vue'
import { useRoute } from 'vue-router'
import { page } from '@/page'

export function usePageTitle(title: () => string | null): void {
  const route = useRoute()
  watch(
    [title, () => route.fullPath],
    ([text]) => {
      if (text) document.title = [text, page.project?.name_with_namespace, 'Forerunner'].filter(Boolean).join(' · ')
    },
    { flush: 'post', immediate: true },
  )
}
