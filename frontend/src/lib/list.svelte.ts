import { localDays } from './days'
import { comparing, Entry, merged, Trend, trendLength } from './entry'
import type { End, Order, SortValue } from './entry'
import type { Live, Subject, Watching } from './live.svelte'
import { queryFields } from './wire.gen'
import type { DeltaMessage, EndedRow, ErrorBody, SnapshotMessage } from './wire.gen'

/** What the figure of a row was at one moment, in milliseconds of Date.now(). */
export interface Figure {
  at: number
  value: number
}

export interface Query {
  q: string
  sort: string
  order: Order
  /** Only so many, the first ones; nothing: all that the server sends. */
  limit?: number
}

/** A text as it stands in a query, whatever it holds. */
export function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** The values that a field has among rows, the most frequent first. */
export function valuesOf(field: string, rows: readonly object[]): string[] {
  const counts = new Map<string, number>()
  for (const row of rows) {
    const value = String((row as Record<string, unknown>)[field] ?? '')
    counts.set(value, (counts.get(value) ?? 0) + 1)
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([value]) => value)
}

/** What a list needs to know of its rows. */
export interface RowKind<Row> {
  topic: Subject['topic']
  key(row: Row): string
  /** The value of a sortable column; undefined for a column that there is not. */
  value(row: Row, column: string): SortValue | undefined
  /** The figure whose last minute is kept. */
  trend?(row: Row): number
}

/** How long an ended row stays at its place, and how many of them at most. */
const graveTime = 6_000
const mostGraves = 200
/** How many of the ended are remembered. */
const mostEnded = 500

/**
 * The rows of one live list. The server searches; the order is made here, so that another one costs the server nothing
 * and shows at once. Only where the server holds rows back for being too many does it need to know the order, to send
 * the right ones.
 *
 * Entries are plain objects in plain collections: a reading of ten thousand rows of which hundreds changed costs a pass
 * over an array, and what the page draws of them is its own affair.
 */
export class LiveList<Row> {
  total = $state(0)
  matched = $state(0)
  /** When the rows were read, as the server tells it; empty before the first. */
  time = $state('')
  /** The parts that failed or are incomplete, and why. */
  errors = $state.raw<Record<string, string>>({})
  /** Why the server refused the query; the rows shown are still those of the one before. */
  refused = $state.raw<ErrorBody | null>(null)
  /** What was searched for when the rows, or the refusal, came; null before the first. */
  answered = $state<string | null>(null)
  /** How many readings have come. */
  reading = $state(0)
  /** The rows as they stand, with those that ended a moment ago. While held, no order changes and no row joins or leaves. */
  entries = $state.raw<readonly Entry<Row>[]>([])
  /** How many rows came while held and are not shown yet. */
  waiting = $state(0)
  /** In a tree, the keys of the rows that were folded or unfolded: they stand otherwise than by themselves. */
  turned = $state.raw<ReadonlySet<string>>(new Set())
  /** Those that ended since the list was opened, the last first. */
  ended = $state.raw<readonly Entry<Row>[]>([])

  /** How many rows there are here; more may match, where the server holds some back. */
  size = $state(0)

  /** The rows that there are. */
  readonly rows: readonly Row[] = $derived(
    this.entries.filter(({ end }) => !end).map(({ row }) => row),
  )

  #kind: RowKind<Row>
  #onrow: ((row: Row, before: Row | undefined) => void) | undefined
  #watching: Watching
  #query: Query
  #byKey = new Map<string, Entry<Row>>()
  /** In order, with the graves. */
  #sorted: Entry<Row>[] = []
  #graves = new Map<string, Entry<Row>>()
  #held: Entry<Row>[] | null = null
  #came = new Set<string>()
  /** When the last readings were taken, as far back as trends go. */
  #times: number[] = []
  /** The next snapshot answers another query. */
  #anew = true

  /** onrow is called with each row that came or changed while one looks, and what it was before, where it was there. */
  constructor(
    live: Live,
    kind: RowKind<Row>,
    query: Query,
    onrow?: (row: Row, before: Row | undefined) => void,
  ) {
    this.#kind = kind
    this.#onrow = onrow
    this.#query = query
    this.#watching = live.watch<Row>(this.#subject(false), {
      snapshot: (message) => this.#replace(message),
      delta: (message) => this.#change(message),
      refused: (error) => {
        // The place is one in what was asked.
        this.refused = this.#asked === this.#query.q ? error : { ...error, position: undefined }
        this.answered = this.#query.q
      },
    })
  }

  /** Nothing has come yet. */
  get loading(): boolean {
    return this.time === ''
  }

  /** The row of a key, if there is one. */
  find(key: string): Row | undefined {
    return this.#byKey.get(key)?.row
  }

  /** What a row's figure was at the last readings, for as long as the row is known here, the oldest first. */
  past(key: string): Figure[] {
    const entry = this.#byKey.get(key)
    if (!entry) return []
    const steps = entry.trend?.until(this.reading) ?? []
    const first = this.reading - this.#times.length + 1
    const figures = this.#times.map((at, i) => {
      const place = trendLength - this.#times.length + i
      return { at, value: steps.findLast((step) => step.at <= place)?.value ?? 0 }
    })
    return figures.slice(Math.max(0, entry.from - first))
  }

  /** The values that a field has among the rows, the most frequent first. */
  values(field: string): string[] {
    return valuesOf(
      field,
      this.#sorted.map(({ row }) => row as object),
    )
  }

  /** Folds away what is below a row of a tree, or shows it again. */
  turn(key: string) {
    const next = new Set(this.turned)
    if (!next.delete(key)) next.add(key)
    this.turned = next
  }

  /** Searches or sorts anew. */
  query(next: Query) {
    const before = this.#query
    const sought = next.q !== before.q
    const sorted = next.sort !== before.sort || next.order !== before.order
    if (!sought && !sorted) return
    this.#query = next
    const partial = this.matched > this.#byKey.size
    if (sought || partial) {
      this.#anew = true
      this.#watching.change(this.#subject(partial))
    }
    if (!sorted) return
    this.#sorted = this.#arranged(this.#sorted)
    if (this.#held) this.#held = this.#arranged(this.#held)
    this.#show()
  }

  /** Keeps the order and who is in it, or lets both go on. */
  hold(held: boolean) {
    if (held === (this.#held !== null)) return
    this.#held = held ? [...this.entries] : null
    this.#came.clear()
    this.#show()
  }

  close() {
    this.#watching.close()
  }

  get #asked(): string {
    return localDays(this.#query.q, queryFields[this.#kind.topic] ?? [])
  }

  #subject(ordered: boolean): Subject {
    const subject: Subject = { topic: this.#kind.topic }
    const q = this.#asked
    const { sort, order, limit } = this.#query
    if (q !== '') subject.q = q
    if (limit) return { ...subject, sort, order, limit }
    return ordered && sort !== '' ? { ...subject, sort, order } : subject
  }

  #arranged(entries: readonly Entry<Row>[]): Entry<Row>[] {
    for (const entry of entries) entry.value = this.#value(entry.row)
    return entries.toSorted(comparing(this.#query.order))
  }

  #value(row: Row): SortValue {
    return this.#kind.value(row, this.#query.sort) ?? null
  }

  #entry(key: string, row: Row, old: Entry<Row> | undefined, since: number): Entry<Row> {
    let trend = old?.trend ?? null
    const figure = this.#kind.trend?.(row) ?? 0
    if (!trend && figure > 0) trend = new Trend()
    trend?.add(this.reading, figure)
    const entry = new Entry(key, row, old?.since ?? since, trend)
    entry.from = old?.from ?? this.reading
    return entry
  }

  #replace(message: SnapshotMessage<Row>) {
    const anew = this.#anew
    const before = this.#byKey
    this.#anew = false
    this.reading++
    for (const entry of this.#sorted) entry.stale = true
    this.#byKey = new Map()
    this.#graves.clear()
    // What was missed in a gap is new; all that another search finds is not.
    const since = anew ? 0 : this.reading
    for (const row of message.rows) {
      const key = this.#kind.key(row)
      const old = before.get(key)
      this.#byKey.set(key, this.#entry(key, row, old, since))
      if (!anew) this.#onrow?.(row, old?.row)
    }
    this.#sorted = this.#arranged([...this.#byKey.values()])
    if (this.#held && anew) this.#held = [...this.#sorted]
    if (anew) this.#came.clear()
    else if (this.#held)
      for (const key of this.#byKey.keys()) if (!before.has(key)) this.#came.add(key)
    this.refused = null
    this.answered = this.#query.q
    this.#stamp(message)
  }

  #change(message: DeltaMessage<Row>) {
    this.reading++
    const now = Date.now()
    const fresh: Entry<Row>[] = []
    const ends = new Map(message.ended.map((ended) => [ended.key, ended]))
    for (const key of message.remove) {
      const old = this.#byKey.get(key)
      if (!old) continue
      old.stale = true
      this.#byKey.delete(key)
      this.#came.delete(key)
      const end = ends.get(key)
      if (end) fresh.push(this.#bury(old, end, now))
    }
    for (const end of message.ended) {
      // It lived between two readings, so it was never in the list.
      if (end.row && !this.#graves.has(end.key))
        fresh.push(this.#bury(new Entry(end.key, end.row, this.reading, null), end, now))
    }
    for (const row of message.upsert) {
      const key = this.#kind.key(row)
      const old = this.#byKey.get(key)
      if (old) old.stale = true
      else if (this.#held) this.#came.add(key)
      const entry = this.#entry(key, row, old, this.reading)
      entry.value = this.#value(row)
      this.#byKey.set(key, entry)
      this.#onrow?.(row, old?.row)
      fresh.push(entry)
    }
    const dead = fresh.filter(({ end }) => end)
    if (dead.length > 0) this.ended = [...dead.reverse(), ...this.ended].slice(0, mostEnded)
    for (const [key, grave] of this.#graves) {
      const { at } = grave.end as End
      if (now - at < graveTime && this.#graves.size <= mostGraves) break
      grave.stale = true
      this.#graves.delete(key)
    }
    const shown = fresh.filter(({ stale }) => !stale)
    this.#sorted = merged(this.#sorted, shown, comparing(this.#query.order))
    this.#stamp(message)
  }

  #bury(old: Entry<Row>, { exitCode, signal, lived }: EndedRow<Row>, at: number): Entry<Row> {
    const grave = new Entry(old.key, old.row, old.since, old.trend, { exitCode, signal, lived, at })
    grave.value = this.#value(old.row)
    this.#graves.set(old.key, grave)
    return grave
  }

  #show() {
    const held = this.#held
    if (held) {
      for (let i = 0; i < held.length; i++) {
        const entry = held[i] as Entry<Row>
        if (entry.stale && !entry.end) held[i] = this.#successor(entry)
      }
    }
    this.waiting = this.#came.size
    this.entries = held ? [...held] : this.#sorted
  }

  /** What stands for an entry now: a newer reading, its grave, or the knowledge that it is gone. */
  #successor({ key, row, since, trend }: Entry<Row>): Entry<Row> {
    const gone = { exitCode: null, signal: null, lived: null, at: Date.now() }
    return this.#byKey.get(key) ?? this.#graves.get(key) ?? new Entry(key, row, since, trend, gone)
  }

  #stamp(message: SnapshotMessage<Row> | DeltaMessage<Row>) {
    this.total = message.total
    this.matched = message.matched
    this.size = this.#byKey.size
    this.time = message.time
    this.#times = [...this.#times, Date.parse(message.time)].slice(-trendLength)
    this.errors = message.errors
    this.#show()
  }
}
