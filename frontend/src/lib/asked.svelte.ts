import { untrack } from 'svelte'
import { asApiError } from './api'
import type { ApiError, CallOptions } from './api'
import { live, operations } from './app.svelte'

/**
 * So long after a record it is asked: what follows from an act is done when its record is told, and of many records that
 * come at once each would ask. In milliseconds.
 */
const settling = 250
/** The clocks of two machines differ: what should have gone by now is not asked for more often. In milliseconds. */
const leastPause = 60_000

/** What a list needs to know of its rows. */
interface Kind<Row> {
  ask(options: CallOptions): Promise<readonly Row[]>
  key(row: Row): string
  /** The types of the records that tell of what changes it. */
  changes: RegExp
  /** When a row goes that no record tells of, unless it is put off meanwhile: in milliseconds of Date.now(). */
  ends?(row: Row): number
}

/**
 * A list that no watch tells of, for the component that makes this. It is asked for at once, and again when a record of the
 * log tells that it may have changed, when a row should have gone by itself, when the page is shown again and when the
 * connection is back. A hidden page asks for nothing, and no page from time to time: the session of whoever is away would
 * never end.
 */
export class AskedList<Row> {
  /** As it came last; null before it did. */
  all = $state.raw<readonly Row[] | null>(null)
  failure = $state.raw<ApiError | null>(null)
  /** It may have changed, and whoever wants to know must give the password. */
  outdated = $state(false)

  #kind: Kind<Row>
  #held = $state.raw<readonly Row[] | null>(null)
  readonly #byKey = $derived(new Map((this.all ?? []).map((row) => [this.#kind.key(row), row])))
  /** The rows to show. While somebody aims at them none moves: new ones wait, and those that went stay. */
  readonly rows: readonly Row[] = $derived(
    this.#held?.map((row) => this.#byKey.get(this.#kind.key(row)) ?? row) ?? this.all ?? [],
  )

  #asking: Promise<void> | null = null
  #wanted: CallOptions | null = null

  constructor(kind: Kind<Row>) {
    this.#kind = kind
    let visible = $state(!document.hidden)
    const look = () => (visible = !document.hidden)
    let begun = false
    $effect(() => {
      document.addEventListener('visibilitychange', look)
      return () => document.removeEventListener('visibilitychange', look)
    })
    $effect(() => {
      const connected = live.state === 'live'
      if (!visible || (begun && !connected)) return
      untrack(() => void this.#again({ unasked: begun }))
      begun = true
      let timer: ReturnType<typeof setTimeout> | undefined
      const end = operations.listen(({ logType }) => {
        if (!kind.changes.test(logType)) return
        timer ??= setTimeout(() => {
          timer = undefined
          void this.#again({ unasked: true })
        }, settling)
      })
      return () => {
        clearTimeout(timer)
        end()
      }
    })
    $effect(() => {
      const next = Math.min(...(this.all ?? []).map((row) => kind.ends?.(row) ?? Infinity))
      if (!visible || next === Infinity) return
      const pause = Math.max(leastPause, next - Date.now())
      const timer = setTimeout(() => void this.#again({ unasked: true }), pause)
      return () => clearTimeout(timer)
    })
  }

  /** Asks for it because somebody wants it. */
  readonly again = () => this.#again({ unasked: false })

  /** Keeps every row at its place, or lets them go on. */
  hold(held: boolean) {
    this.#held = held ? this.rows : null
  }

  /** Whether a row that stays has gone. */
  gone(row: Row): boolean {
    return !this.#byKey.has(this.#kind.key(row))
  }

  /** One request at a time: what is asked for while one is on its way is asked for after it, once. */
  #again(options: CallOptions): Promise<void> {
    // Who waits for it may be asked for the password.
    if (this.#wanted?.unasked !== false) this.#wanted = options
    this.#asking ??= this.#ask().finally(() => (this.#asking = null))
    return this.#asking
  }

  async #ask() {
    for (let options = this.#wanted; options; options = this.#wanted) {
      this.#wanted = null
      try {
        this.all = await this.#kind.ask(options)
        this.failure = null
        this.outdated = false
      } catch (error) {
        const failure = asApiError(error)
        // What is there stays; that the server is away, the page tells.
        if (!options.unasked || !this.all) this.failure = failure
        else if (failure.code === 'reauthenticate') this.outdated = true
      }
    }
  }
}
