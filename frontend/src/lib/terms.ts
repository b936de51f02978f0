import { quoted } from './list.svelte'

/** The terms of a query that narrow down one field: field:value, -field="a b", field>=5. */
function terms(field: string): RegExp {
  return new RegExp(String.raw`(?<=^|\s)-?${field}(?:[:=]|[<>]=?)(?:"(?:[^"\\]|\\.)*"|\S*)`, 'gi')
}

/** The query with these terms of a field in place of those that it has. */
export function withTerms(q: string, field: string, ...wanted: string[]): string {
  const rest = q.replace(terms(field), '').trim().replace(/\s+/g, ' ')
  return [rest, ...wanted].filter((part) => part !== '').join(' ')
}

/** The value that a query asks a field to have; empty where it asks for none, or for something else. */
export function valueOf(q: string, field: string): string {
  const [term, another] = q.match(terms(field)) ?? []
  const plain = /^\w+[:=]("?)(.*?)\1$/s.exec(term ?? '')
  if (another !== undefined || !plain) return ''
  return plain[1] === '' ? (plain[2] ?? '') : (plain[2] ?? '').replace(/\\(.)/gs, '$1')
}

/** The query that asks a field for a value; an empty one asks for any. */
export function asking(q: string, field: string, value: string): string {
  return value === '' ? withTerms(q, field) : withTerms(q, field, `${field}:${quoted(value)}`)
}
