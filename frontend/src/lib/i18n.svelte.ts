import { en } from './i18n/en'
import type { Catalogue } from './i18n/en'
import { zh } from './i18n/zh'
import type { Phrasebook } from './phrases'

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
  /** What the server says in Chinese; fetched when it is wanted for the first time. */
  #phrasebook = $state.raw<Phrasebook | null>(null)

  /** The texts of the chosen language. */
  readonly t = $derived(catalogues[this.#language])
  /** For Intl. */
  readonly locale = $derived(this.#language === 'zh' ? 'zh-Hans' : 'en')

  start() {
    const stored = localStorage.getItem(key)
    this.#show(stored === 'en' || stored === 'zh' ? stored : preferred(navigator.languages))
  }

  /** A message of the server in the chosen language; as it is where there are no words for it. */
  say(message: string): string {
    if (this.#language === 'en') return message
    return this.#phrasebook?.say(message) ?? message
  }

  /** Words that the log can be asked for in the chosen language, which have a text within them, the shortest first. */
  known(text: string): string[] {
    if (this.#language === 'en' || !/\p{Script=Han}/u.test(text)) return []
    const { logTypes, retStatus } = this.t
    const names = [...Object.values(retStatus), ...Object.values(logTypes)]
    const phrases = this.#phrasebook?.with(text) ?? []
    return [...new Set([...names.filter((name) => name.includes(text)), ...phrases])]
  }

  /** A query of the log as the server is to be asked: it keeps its own words. */
  ask(query: string): string {
    if (this.#language === 'en') return query
    const { logTypes, retStatus } = this.t
    const names = new Map([
      ...Object.entries(retStatus).map(([id, name]) => [name, `retStatus:${id}`] as const),
      ...Object.entries(logTypes).map(([id, name]) => [name, `logType:${id}`] as const),
    ])
    return this.#phrasebook?.ask(query, names) ?? query
  }

  /** Whether what the server says can be told in the chosen language yet. */
  get ready(): boolean {
    return this.#language === 'en' || this.#phrasebook !== null
  }

  get language(): Language {
    return this.#language
  }

  set language(language: Language) {
    localStorage.setItem(key, language)
    this.#show(language)
  }

  /** Fetches what is said in the chosen language, unless it is there. */
  async learn() {
    if (this.ready) return
    try {
      const [{ Phrasebook }, { said }] = await Promise.all([
        import('./phrases'),
        import('./i18n/zh/said'),
      ])
      this.#phrasebook ??= new Phrasebook(said)
    } catch {
      // The server is away: its messages stay as they are until it is back; or it has another build by now, which is offered.
    }
  }

  #show(language: Language) {
    this.#language = language
    document.documentElement.lang = this.locale
    void this.learn()
  }
}

export const i18n = new I18n()
