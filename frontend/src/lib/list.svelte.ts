import type { Live, Subject, Watching } from './live.svelte'
import type { DeltaMessage, ErrorBody, SnapshotMessage } from './wire.gen'

export type Order = 'asc' | 'desc'
/** What a row is sorted by; null sorts last in either order. */
export type SortValue = number | string | null

export interface Query {
  q: string
  sort: string
  order: Order
}

/** A text as it stands in a query, whatever it holds. */
export function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** What a list needs to know of its rows. */
export interface RowKind<Row> {
  topic: Subject['topic']
  key(row: Row): string
  /** The value of a sortable column; undefined for a column that there is not. */
  value(row: Row, column: string): SortValue | undefined
}

/** Compares by a value, and equal ones by key, so that rows which do not differ keep their places. */
function compare<Row>(kind: RowKind<Row>, sort: string, order: Order): (a: Row, b: Row) => number {
  const sign = order === 'desc' ? -1 : 1
  return (a, b) => {
    const x = kind.value(a, sort) ?? null
    const y = kind.value(b, sort) ?? null
    if (x !== y) {
      if (x === null) return 1
      if (y === null) return -1
      if (x < y) return -sign
      if (x > y) return sign
    }
    return byKey(kind.key(a), kind.key(b))
  }
}

/** Keys are numbers in text, or begin with one: 9 comes before 10. */
function byKey(a: string, b: string): number {
  const n = parseInt(a) - parseInt(b)
  if (n) return n
  return a < b ? -1 : a > b ? 1 : 0
}

/**
 * The rows of one live list. The server searches; the order is made here, so that another one costs the server nothing
 * and shows at once. Only where the server holds rows back for being too many does it need to know the order, to send
 * the right ones.
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

  readonly rows = $derived.by(() => this.#sorted())

  #kind: RowKind<Row>
  #watching: Watching
  #byKey = new Map<string, Row>()
  #version = $state(0)
  #query = $state.raw<Query>({ q: '', sort: '', order: 'asc' })

  constructor(live: Live, kind: RowKind<Row>, query: Query) {
    this.#kind = kind
    this.#query = query
    this.#watching = live.watch<Row>(this.#subject(query, false), {
      snapshot: (message) => this.#replace(message),
      delta: (message) => this.#change(message),
      refused: (error) => (this.refused = error),
    })
  }

  /** Nothing has come yet. */
  get loading(): boolean {
    return this.time === ''
  }

  /** Searches or sorts anew. */
  query(next: Query) {
    const before = this.#query
    if (next.q === before.q && next.sort === before.sort && next.order === before.order) return
    this.#query = next
    const partial = this.matched > this.#byKey.size
    if (next.q !== before.q || partial) this.#watching.change(this.#subject(next, partial))
  }

  close() {
    this.#watching.close()
  }

  #subject({ q, sort, order }: Query, ordered: boolean): Subject {
    const subject: Subject = { topic: this.#kind.topic }
    if (q !== '') subject.q = q
    return ordered && sort !== '' ? { ...subject, sort, order } : subject
  }

  #sorted(): readonly Row[] {
    void this.#version
    const { sort, order } = this.#query
    return [...this.#byKey.values()].sort(compare(this.#kind, sort, order))
  }

  #replace(message: SnapshotMessage<Row>) {
    this.#byKey = new Map(message.rows.map((row) => [this.#kind.key(row), row]))
    this.refused = null
    this.#stamp(message)
  }

  #change(message: DeltaMessage<Row>) {
    for (const key of message.remove) this.#byKey.delete(key)
    for (const row of message.upsert) this.#byKey.set(this.#kind.key(row), row)
    this.#stamp(message)
  }

  #stamp(message: SnapshotMessage<Row> | DeltaMessage<Row>) {
    this.total = message.total
    this.matched = message.matched
    this.time = message.time
    this.errors = message.errors
    this.#version++
  }
}
