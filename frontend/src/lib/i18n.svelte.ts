import { en } from './i18n/en'
import type { Catalogue } from './i18n/en'
import { zh } from './i18n/zh'

export const languages = { en: 'English', zh: '简体中文' } as const
export type Language = keyof typeof languages

const catalogues: Record<Language, Catalogue> = { en, zh }
const key = 'topdeck.language'

/** The first of the browser's languages that there is a catalogue for. */
export function preferred(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split('-')[0]
    if (base === 'zh' || base === 'en') return base
  }
  return 'en'
}

class I18n {
  #language = $state<Language>('en')

  /** The texts of the chosen language. */
  readonly t = $derived(catalogues[this.#language])
  /** For Intl. */
  readonly locale = $derived(this.#language === 'zh' ? 'zh-Hans' : 'en')

  start() {
    const stored = localStorage.getItem(key)
    this.#show(stored === 'en' || stored === 'zh' ? stored : preferred(navigator.languages))
  }

  get language(): Language {
    return this.#language
  }

  set language(language: Language) {
    localStorage.setItem(key, language)
    this.#show(language)
  }

  #show(language: Language) {
    this.#language = language
    document.documentElement.lang = this.locale
  }
}

export const i18n = new I18n()
