import { quoted } from './list.svelte'
import type { QueryField } from './wire.gen'

/** What may stand in the place of the word that is being typed. */
export interface Completion {
  text: string
  /** What kind of thing it is. */
  kind: QueryField['kind'] | 'value' | 'phrase' | 'today' | 'yesterday' | 'day'
  /** It is all of a term; else a value is to follow. */
  whole: boolean
}

export interface Completions {
  /** The part of the query that one of them replaces. */
  from: number
  to: number
  items: readonly Completion[]
}

const most = 8

/**
 * What the word before the caret may become: a field's name, after a name and its operator a value that there is, or a phrase
 * that it is a part of.
 */
export function complete(
  query: string,
  caret: number,
  fields: readonly QueryField[],
  values: (field: string) => readonly string[],
  phrases: (part: string) => readonly string[] = () => [],
): Completions {
  const from = wordStart(query, caret)
  const word = query.slice(from, caret)
  const [, minus = '', name = '', operator = '', value = ''] =
    /^(-?)([A-Za-z]\w*)(>=|<=|[:=<>])?(.*)$/s.exec(word) ?? []
  if (name === '') {
    const [, not = '', part = ''] = /^(-?)"?(.*)$/s.exec(word) ?? []
    const known = part === '' ? [] : phrases(part).filter((phrase) => phrase !== part)
    const items = known.map((phrase) => ({
      text: not + plain(phrase),
      kind: 'phrase' as const,
      whole: true,
    }))
    return { from, to: caret, items: items.slice(0, most) }
  }
  const is = (text: string, part: string) => text.toLowerCase().startsWith(part.toLowerCase())
  const items: Completion[] = []
  if (operator === '') {
    for (const field of fields) {
      const shown = [...field.short, field.name].find((text) => is(text, name))
      if (shown)
        items.push({ text: `${minus}${shown}${usual(field)}`, kind: field.kind, whole: false })
    }
  } else {
    const field = fields.find((f) =>
      [f.name, ...f.short].some((text) => text.toLowerCase() === name.toLowerCase()),
    )
    const part = value.replace(/^"|"$/g, '')
    if (field?.kind === 'time') {
      for (const [ago, day] of lastDays().entries()) {
        if (!is(day, part) || day === part) continue
        const kind = (['today', 'yesterday'] as const)[ago] ?? 'day'
        items.push({ text: `${minus}${name}${operator}${day}`, kind, whole: true })
      }
    }
    if (!field || (field.kind !== 'text' && field.kind !== 'word'))
      return { from, to: caret, items }
    for (const known of values(field.name)) {
      if (known === '' || known === part || !is(known, part)) continue
      items.push({ text: `${minus}${name}${operator}${plain(known)}`, kind: 'value', whole: true })
    }
  }
  return { from, to: caret, items: items.slice(0, most) }
}

/** The last seven days here, as a query has them, today first. */
function lastDays(): string[] {
  const now = new Date()
  return Array.from({ length: 7 }, (_, ago) => {
    const day = new Date(now.getFullYear(), now.getMonth(), now.getDate() - ago)
    const two = (n: number) => `${n}`.padStart(2, '0')
    return [day.getFullYear(), two(day.getMonth() + 1), two(day.getDate())].join('-')
  })
}

/** A text as it stands in a query, in quotes where it needs them. */
function plain(text: string): string {
  return /^[^\s"\\]+$/.test(text) ? text : quoted(text)
}

/** Amounts are asked for by more or less, the rest by what they are. */
function usual({ name, kind }: QueryField): string {
  const amount = kind === 'bytes' || /percent|threads|nice/i.test(name)
  return amount ? '>' : ':'
}

/** Where the word begins that ends at the caret: spaces within quotes are part of it. */
function wordStart(query: string, caret: number): number {
  let start = 0
  let quotes = false
  for (let i = 0; i < caret; i++) {
    if (query[i] === '\\' && quotes) i++
    else if (query[i] === '"') quotes = !quotes
    else if (!quotes && /\s/.test(query[i] ?? '')) start = i + 1
  }
  return start
}
