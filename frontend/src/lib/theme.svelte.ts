export type Theme = 'system' | 'light' | 'dark'

export const themes: readonly Theme[] = ['system', 'light', 'dark']

const key = 'topdeck.theme'

/** The chosen colours: tokens in app.css follow color-scheme, which follows the attribute that is set here. */
class ThemeChoice {
  #chosen = $state<Theme>('system')
  #systemDark = $state(false)

  readonly dark = $derived(
    this.#chosen === 'dark' || (this.#chosen === 'system' && this.#systemDark),
  )

  start() {
    const stored = localStorage.getItem(key)
    this.chosen = themes.find((theme) => theme === stored) ?? 'system'
    const query = matchMedia('(prefers-color-scheme: dark)')
    this.#systemDark = query.matches
    query.addEventListener('change', () => (this.#systemDark = query.matches))
  }

  get chosen(): Theme {
    return this.#chosen
  }

  set chosen(theme: Theme) {
    this.#chosen = theme
    if (theme === 'system') {
      localStorage.removeItem(key)
      delete document.documentElement.dataset.theme
    } else {
      localStorage.setItem(key, theme)
      document.documentElement.dataset.theme = theme
    }
  }
}

export const theme = new ThemeChoice()
