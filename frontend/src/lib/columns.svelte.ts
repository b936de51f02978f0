import { router } from './router.svelte'

/** What a choice of columns needs to know of one. */
interface Choosable {
  id: string
  /** Not among the usual ones: shown when it is chosen. */
  extra?: boolean
  /** It is there whatever is chosen. */
  fixed?: boolean
  /** Left out where there is little room. */
  spare?: boolean
  /** What becomes of it where a list takes the table's place; nothing: it is left out, unless it is chosen. */
  narrow?: 'main' | 'figure' | 'detail' | 'line'
  /** What one does with a row: not to be chosen, and always the last. */
  acts?: boolean
}

const usual = 'usual'

/**
 * The columns of a list as chosen, in that order, for the component that makes this. Every address tells them, the usual
 * ones too: who is given it sees the same table. One that does not has them as this browser last had them.
 */
export class Columns<Column extends Choosable> {
  #store: string
  #offered: () => readonly Column[]
  readonly #chosen = $derived.by(
    () => router.query.get('columns') ?? localStorage.getItem(this.#store) ?? usual,
  )

  readonly picked: readonly Column[] = $derived.by(() => {
    const offered = this.#offered()
    const wanted = this.#chosen
      .split(',')
      .map((id) => offered.find((column) => column.id === id && !column.acts))
      .filter((column) => column !== undefined)
    if (wanted.length === 0) return offered.filter((column) => !column.extra)
    const lead = offered.filter((column) => column.fixed && !wanted.includes(column))
    const whole = [...lead, ...wanted].map((column) => ({
      ...column,
      spare: false,
      narrow: column.narrow ?? ('detail' as const),
    }))
    return [...whole, ...offered.filter((column) => column.acts)]
  })

  /** Lists of one name have one choice. */
  constructor(name: string, offered: () => readonly Column[]) {
    this.#store = `topdeck.columns.${name}`
    this.#offered = offered
    $effect(() => {
      if (!router.query.has('columns')) this.#tell(this.#chosen)
    })
  }

  /** Chooses these; the usual ones where none is named. */
  choose(ids: readonly string[]) {
    const columns = ids.join(',') || usual
    if (columns === usual) localStorage.removeItem(this.#store)
    else localStorage.setItem(this.#store, columns)
    this.#tell(columns)
  }

  #tell(columns: string) {
    router.go(router.with({ columns }), 'replace')
  }
}
