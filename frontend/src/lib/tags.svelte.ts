import type { Line } from './entry'
import { joined, router, split } from './router.svelte'

/** Many ends that come at once are one step. In milliseconds. */
const together = 200

/** The rows of a list that are tagged, to do something with all of them, for the component that makes this. */
export class Tags<Row> {
  readonly keys: ReadonlySet<string> = $derived(new Set(split(router.query.get('tag'))))

  #key: (row: Row) => string
  #finished = new Set<string>()
  #finishing: ReturnType<typeof setTimeout> | undefined
  #left = false

  constructor(key: (row: Row) => string) {
    this.#key = key
    $effect(() => () => {
      this.#left = true
      clearTimeout(this.#finishing)
    })
  }

  set(lines: readonly Line<Row>[], on: boolean) {
    const next = new Set(this.keys)
    for (const { key, group, end } of lines) {
      if (on && !group && !end) next.add(key)
      else next.delete(key)
    }
    this.#go(next)
  }

  readonly clear = () => this.#go([])

  /** What was done to a row is done with. Who is left can be tried again. */
  readonly finish = (row: Row) => {
    if (this.#left) return
    this.#finished.add(this.#key(row))
    this.#finishing ??= setTimeout(() => {
      this.#finishing = undefined
      const left = [...this.keys].filter((key) => !this.#finished.has(key))
      this.#finished.clear()
      this.#go(left)
    }, together)
  }

  #go(keys: Iterable<string>) {
    router.go(router.with({ tag: joined([...keys]) }), 'replace')
  }
}
