import type { EndedRow } from './wire.gen'

export type Order = 'asc' | 'desc'
/** What a row is sorted by; null sorts last in either order. */
export type SortValue = number | string | null

/** How a row ended: by exit code or signal where it is told, else it is only known to be gone. */
export type End = Pick<EndedRow<unknown>, 'exitCode' | 'signal'> & {
  /** When that was noticed, in milliseconds of Date.now(). */
  at: number
  /** In seconds, at most where it is only known to be gone; null where not even that is known. */
  lived: number | null
}

/** How many readings a trend goes back. */
export const trendLength = 60

/** A value of a trend, from a place in it on: 0 is that of the oldest reading. */
export interface Step {
  readonly at: number
  readonly value: number
}

/** One figure of a row over the last readings. Between two changes it stays what it was. */
export class Trend {
  /** The readings at which it was told, and what it was then: few for most rows, which change seldom. */
  readonly #readings: number[] = []
  readonly #values: number[] = []

  add(reading: number, value: number) {
    // The first of those that are kept holds at the oldest reading shown, or before.
    while ((this.#readings[1] ?? Infinity) <= reading - trendLength) {
      this.#readings.shift()
      this.#values.shift()
    }
    if (value === this.#values.at(-1)) return
    this.#readings.push(reading)
    this.#values.push(value)
  }

  /** Its values up to a reading, each with the place from which on it holds, the oldest first; 0 before it was told. */
  until(reading: number): Step[] {
    const steps: Step[] = [{ at: 0, value: 0 }]
    const begin = reading - trendLength + 1
    for (let i = 0; i < this.#readings.length; i++) {
      const at = (this.#readings[i] as number) - begin
      const value = this.#values[i] as number
      if (at <= 0) steps[0] = { at: 0, value }
      else if (at < trendLength) steps.push({ at, value })
    }
    return steps
  }
}

/** A group of rows that stands above them in a tree. */
export interface Group {
  kind: 'slice' | 'unit'
  name: string
  /** Rows below it, however deep. */
  count: number
}

/** One line of a list as it is shown. What a line shows of its row changes with another line in its place, never in it. */
export interface Line<Row> {
  readonly key: string
  readonly row: Row
  /** The reading that it came with; 0 where it was there before. */
  readonly since: number
  readonly end: End | null
  readonly trend: Trend | null
  /** In a tree: how deep it stands, from 0. */
  readonly depth: number
  /** In a tree: whether what is below it is shown; null where nothing is. */
  readonly open: boolean | null
  readonly group: Group | null
}

/** A row as a list keeps it. */
export class Entry<Row> implements Line<Row> {
  readonly depth = 0
  readonly open = null
  readonly group = null
  /** What it is sorted by now. */
  value: SortValue = null
  /** Another one has taken its place, or none. */
  stale = false
  /** The reading from which on it is known. */
  from = 0
  /** The number that the key begins with: 9 comes before 10. */
  readonly number: number

  constructor(
    readonly key: string,
    readonly row: Row,
    readonly since: number,
    readonly trend: Trend | null,
    readonly end: End | null = null,
  ) {
    this.number = parseInt(key) || 0
  }
}

export type Compare<Row> = (a: Entry<Row>, b: Entry<Row>) => number

/** Compares by value, and equal ones by key, so that rows which do not differ keep their places. */
export function comparing<Row>(order: Order): Compare<Row> {
  const sign = order === 'desc' ? -1 : 1
  return (a, b) => {
    const x = a.value
    const y = b.value
    if (x !== y) {
      if (x === null) return 1
      if (y === null) return -1
      if (x < y) return -sign
      if (x > y) return sign
    }
    if (a.number !== b.number) return a.number - b.number
    return a.key < b.key ? -1 : a.key > b.key ? 1 : 0
  }
}

/**
 * The entries of a sorted list that are not stale, with fresh ones at their places. Few change at a time: sorting those
 * and one pass over the rest is a tenth of sorting all.
 */
export function merged<Row>(
  sorted: readonly Entry<Row>[],
  fresh: Entry<Row>[],
  compare: Compare<Row>,
): Entry<Row>[] {
  fresh.sort(compare)
  const all: Entry<Row>[] = []
  let next = 0
  for (const entry of sorted) {
    if (entry.stale) continue
    for (let other = fresh[next]; other && compare(other, entry) < 0; other = fresh[++next])
      all.push(other)
    all.push(entry)
  }
  for (; next < fresh.length; next++) all.push(fresh[next] as Entry<Row>)
  return all
}
