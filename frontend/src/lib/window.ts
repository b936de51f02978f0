/** How many rows are drawn beyond what is in sight, each way. */
const beyond = 8

/** Which rows of a list are drawn, from what is in sight of it; a row is so high, in pixels. */
export function windowOf(top: number, height: number, row: number, total: number) {
  const first = Math.max(0, Math.min(total, Math.floor(top / row)) - beyond)
  const last = Math.min(total, Math.ceil((top + height) / row) + beyond)
  return { first: Math.min(first, last), last }
}

/** Which rows are wholly in sight below a head of that height, which stays where it is. */
export function sightOf(top: number, height: number, head: number, row: number, total: number) {
  const first = Math.min(total, Math.ceil(top / row))
  const last = Math.min(total, Math.floor((top + height - head) / row))
  return { first, last: Math.max(first, last) }
}

/**
 * By how many places the rows in sight have moved: the middle one of their shifts, so that a row which jumps to another
 * place for reasons of its own takes nobody along. Keys are those of the rows that were in sight, from the place first.
 */
export function shiftOf<Row>(
  keys: readonly string[],
  first: number,
  rows: readonly Row[],
  key: (row: Row) => string,
): number {
  const places = new Map(keys.map((key, i) => [key, first + i]))
  const shifts: number[] = []
  for (let i = 0; i < rows.length && shifts.length < keys.length; i++) {
    const before = places.get(key(rows[i] as Row))
    if (before !== undefined) shifts.push(i - before)
  }
  shifts.sort((a, b) => a - b)
  return shifts[shifts.length >> 1] ?? 0
}

/**
 * Which element of the page shows which row, by numbers. A row that stays in sight keeps its element; one that comes takes
 * that of one that has left, because other texts in an element cost a fraction of a new one.
 */
export function elementsOf<Key>(
  keys: readonly Key[],
  before: ReadonlyMap<Key, number>,
): Map<Key, number> {
  const wanted = new Set(keys)
  const free = [...before].filter(([key]) => !wanted.has(key)).map(([, element]) => element)
  let last = Math.max(-1, ...before.values())
  return new Map(keys.map((key) => [key, before.get(key) ?? free.shift() ?? ++last]))
}
