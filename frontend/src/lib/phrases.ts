/**
 * What the server says, in another language: for each form of a message, as Go writes it, the same in other words. Groups
 * give names to forms that stand within others.
 *
 * In the other words {1} is the first value, as it is. {1:name} says what it must be, and {1~name} how to read it on:
 * - w is one word, which may stand anywhere in the form; without a name, a value may be any text;
 * - the name of a group, or of several with | between them: one of their forms;
 * - said: any message, or any list of them with ; between; or else, with ~, whatever it is.
 *
 * A value with ~ that has no place in the form is what may follow it. A form has one value at most that may be any text, so
 * that a message can be read in one way only; a form fits a whole message or not at all.
 */
export type Phrases = Readonly<Record<string, Readonly<Record<string, string>>>>

interface Hole {
  kind: string
  /** It is any text, to be read by its kind. */
  any: boolean
}

interface Rule {
  /** Matches whole messages, a group for each hole. */
  match: RegExp
  /** How much of the form is fixed: what tells more is tried first. */
  weight: number
  words: string
  holes: Hole[]
}

const verb = /%(?:\[\d+\])?[-+# 0-9.]*([a-zA-Z])/
const kindOfVerb: Record<string, string> = { d: 'number', q: 'quoted' }
/** A form that is a message, and no mere part of one. */
const begins = /^[^ ,:;]/
const punctuation = /^[\s：；，。（）:;,()]+|[\s：；，。（）:;,()]+$/g
/** A term of a query: - before it, and the text that it looks for. */
const term = /(?<=^|\s)(-?)("(?:[^"\\]|\\.)*"|\S+)/g
const blank = /\{(\d+)(?:([:~])([\w|]+))?\}/g

const kinds: Record<string, string> = {
  text: '.+',
  number: '-?\\d+',
  quoted: '"(?:[^"\\\\]|\\\\.)*"|\'(?:[^\'\\\\]|\\\\.)*\'',
  // Not what parts it from the next.
  w: '\\S*[^\\s:;,]',
}

/** Longer ones are not read: whoever sends them wants to keep somebody busy. */
const longest = 8_192
const deepest = 8
const remembered = 1_000

export class Phrasebook {
  #phrases: Phrases
  #rules = new Map<string, Rule[]>()
  #fixed = new Map<string, string>()
  /** What was read of late: a list shows the same again and again. */
  #read = new Map<string, string | null>()

  constructor(phrases: Phrases) {
    this.#phrases = phrases
  }

  /** A message in the other words; null where no form fits. */
  say(message: string): string | null {
    const known = this.#read.get(message)
    if (known !== undefined || message.length > longest) return known ?? null
    if (this.#read.size >= remembered) this.#read.clear()
    const said = this.#find(message, 'said', 0)
    this.#read.set(message, said)
    return said
  }

  /**
   * A query with what it looks for in the server's words, where that is all of a form, or all that stands between two of its
   * values; names has more such words, each with the term that asks for it.
   */
  ask(query: string, names: ReadonlyMap<string, string>): string {
    return query.replace(term, (whole, not: string, text: string) => {
      const words = text.replace(/^"(.*)"$/, '$1')
      const form = this.#parts.get(words)
      const found = names.get(words) ?? (form && (/\W/.test(form) ? JSON.stringify(form) : form))
      return found ? not + found : whole
    })
  }

  /** What is fixed in the other words and has a text within it, the shortest first. */
  with(text: string): string[] {
    return [...this.#parts.keys()]
      .filter((words) => words.includes(text))
      .sort((a, b) => a.length - b.length)
  }

  /** The forms that could not be read in one way only; for the tests. */
  unclear(): string[] {
    const rules = Object.keys(this.#phrases).flatMap((group) => this.#of(group))
    return rules
      .filter(({ holes }) => holes.filter(({ kind, any }) => any || kind === 'text').length > 1)
      .map(({ words }) => words)
  }

  /** What is fixed in the other words, and what it is in the server's. */
  get #parts(): Map<string, string> {
    if (this.#fixed.size > 0) return this.#fixed
    for (const [form, words] of Object.values(this.#phrases).flatMap(Object.entries<string>)) {
      const { fixed } = parse(form, words)
      const others = words.split(/\{\d+(?:[:~][\w|]+)?\}/)
      const order = Array.from(words.matchAll(blank), ([, number]) => Number(number))
      if (order.some((number, at) => number !== at + 1)) continue
      for (const [at, other] of others.entries()) {
        const key = other.replace(punctuation, '')
        const text = fixed[at]?.replace(punctuation, '')
        if (key && text && !this.#fixed.has(key)) this.#fixed.set(key, text)
      }
    }
    return this.#fixed
  }

  #of(group: string): Rule[] {
    let rules = this.#rules.get(group)
    if (!rules) {
      const groups = group === 'said' ? Object.keys(this.#phrases) : group.split('|')
      rules = groups
        .flatMap((name) => Object.entries(this.#phrases[name] ?? {}))
        .filter(([form]) => group !== 'said' || begins.test(form))
        .map(([form, words]) => this.#rule(form, words))
        .sort((a, b) => b.weight - a.weight)
      this.#rules.set(group, rules)
    }
    return rules
  }

  #rule(form: string, words: string): Rule {
    const { fixed, holes } = parse(form, words)
    const source = fixed.map(
      (text, at) => escaped(text) + (holes[at] ? `(${this.#source(holes[at])})` : ''),
    )
    return {
      match: new RegExp(`^${source.join('')}$`, 's'),
      weight: fixed.join('').length,
      words,
      holes,
    }
  }

  #source({ kind, any }: Hole): string {
    if (any) return '.*'
    return (
      kinds[kind] ??
      this.#of(kind)
        .map(({ match }) => bare(match))
        .join('|')
    )
  }

  #find(text: string, group: string, depth: number): string | null {
    if (depth > deepest) return null
    for (const { match, words, holes } of this.#of(group)) {
      const found = match.exec(text)
      if (!found) continue
      const values = holes.map((hole, at) => this.#value(found[at + 1] ?? '', hole, depth + 1))
      if (values.includes(null)) continue
      return words.replace(blank, (_, number: string) => values[Number(number) - 1] ?? '')
    }
    return group === 'said' ? this.#list(text, depth) : null
  }

  #value(text: string, { kind, any }: Hole, depth: number): string | null {
    if (kinds[kind] !== undefined) return text
    const said = this.#find(text, kind, depth)
    return any && kind === 'said' ? (said ?? text) : said
  }

  /** Several messages with ; between them, but not within quotes. Those that no form fits stay. */
  #list(text: string, depth: number): string | null {
    const parts = text.match(/(?:"(?:[^"\\]|\\.)*"|[^";])+/g) ?? []
    if (parts.length < 2 || parts.join(';') !== text) return null
    const said = parts.map((part) => [part.trim(), this.#find(part.trim(), 'said', depth + 1)])
    return said.some(([, words]) => words !== null)
      ? said.map(([part, words]) => words ?? part).join('；')
      : null
  }
}

function parse(form: string, words: string): { fixed: string[]; holes: Hole[] } {
  const asked = new Map<number, Hole>()
  for (const [, number, how, kind] of words.matchAll(blank)) {
    if (kind) asked.set(Number(number), { kind, any: how === '~' })
  }
  // Splitting by an expression with a group gives the group too: fixed, verb, fixed …
  const pieces = form.split(verb)
  const fixed = pieces.filter((_, at) => at % 2 === 0)
  const holes = pieces
    .filter((_, at) => at % 2 === 1)
    .map((letter, at) => asked.get(at + 1) ?? { kind: kindOfVerb[letter] ?? 'text', any: false })
  const rest = asked.get(holes.length + 1)
  if (rest) holes.push(rest)
  return { fixed, holes }
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

/** The source of an expression for use within another: without its ends, and its groups not told apart. */
function bare({ source }: RegExp): string {
  return source
    .slice(1, -1)
    .replace(/(\\.)|\((?!\?)/g, (found, kept: string | undefined) => kept ?? `${found}?:`)
}
