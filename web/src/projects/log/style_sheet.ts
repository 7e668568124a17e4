// Puts the text styles of one log into a constructed style sheet: the content security policy allows no inline styles.
import { css, DARK, declarations, LIGHT, type LogTheme } from './colours'
import { PLAIN_ID, type Style } from './sgr'

const darkByHand = (selector: string) => `:root[data-theme='dark'] ${selector}`
const darkBySystem = (selector: string) => `:root:not([data-theme='light']) ${selector}`

export class LogStyleSheet {
  private readonly sheet = new CSSStyleSheet()
  private done = PLAIN_ID

  constructor() {
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, this.sheet]
    const base = (theme: LogTheme) => `--log-bg:${css(theme.background)};--log-text:${css(theme.text)};--log-dim:${css(theme.basic[8]!)}`
    this.add('.log', base)
  }

  className(style: number): string | undefined {
    return style === PLAIN_ID ? undefined : `log-style-${style}`
  }

  // Adds the styles that came since the last call.
  update(styles: readonly Style[]): void {
    while (this.done + 1 < styles.length) {
      this.done += 1
      this.add(`.log .log-style-${this.done}`, (theme) => declarations(styles[this.done]!, theme))
    }
  }

  remove(): void {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== this.sheet)
  }

  private add(selector: string, body: (theme: LogTheme) => string): void {
    const dark = body(DARK)
    const rules = [
      `${selector}{${body(LIGHT)}}`,
      `@media (prefers-color-scheme: dark){${darkBySystem(selector)}{${dark}}}`,
      `${darkByHand(selector)}{${dark}}`,
    ]
    for (const rule of rules) this.sheet.insertRule(rule, this.sheet.cssRules.length)
  }
}
