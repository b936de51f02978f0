import type { QueryField } from './wire.gen'

/**
 * The query with the days that it asks for as days of this browser, as all times are shown: the server would take them for
 * days in UTC.
 */
export function localDays(q: string, fields: readonly QueryField[]): string {
  const names = fields.filter(({ kind }) => kind === 'time').flatMap((f) => [f.name, ...f.short])
  if (names.length === 0) return q
  const text = String.raw`-?"(?:[^"\\]|\\.)*"`
  const day = String.raw`(-?(?:${names.join('|')})(?:[:=]|[<>]=?))"?(\d{4})-(\d\d)-(\d\d)"?(?=\s|$)`
  const find = new RegExp(String.raw`(?<=^|\s)(?:${text}|${day})`, 'gi')
  return q.replace(find, (term: string, ...[asks, y, m, d]: string[]) => {
    const midnight = (after: number) => new Date(Number(y), Number(m) - 1, Number(d) + after)
    if (!asks || midnight(0).getDate() !== Number(d)) return term
    return asks + [0, 1].map((after) => midnight(after).toISOString().replace('.000', '')).join('/')
  })
}
