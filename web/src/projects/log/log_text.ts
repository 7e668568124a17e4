// The text of one line: text nodes, spans and links, never markup.
import { h, type FunctionalComponent } from 'vue'
import type { Segment } from './segments'

interface Props {
  segments: Segment[]
  classOf: (style: number) => string | undefined
}

const HIT_CLASSES = [undefined, 'log-hit', 'log-hit log-hit-current']

export const LogText: FunctionalComponent<Props> = (props) =>
  h(
    'span',
    { class: 'log-text' },
    props.segments.map(({ text, style, href, hit }) => {
      const looks = hit ? HIT_CLASSES[hit] : props.classOf(style)
      if (href) return h('a', { href, class: ['log-link', looks], target: '_blank', rel: 'noopener noreferrer nofollow' }, text)
      return looks ? h('span', { class: looks }, text) : text
    }),
  )
LogText.props = ['segments', 'classOf']
