/** A piece of a line in one look; its classes are of a fixed set, never taken from the text. */
export interface Span {
  text: string
  look: string
}

export type OutputLine = readonly Span[]

const attributes: Record<number, string> = {
  1: 'bold',
  2: 'dim',
  3: 'italic',
  4: 'underline',
  7: 'inverse',
  9: 'strike',
}
const ends: Record<number, readonly string[]> = {
  22: ['bold', 'dim'],
  23: ['italic'],
  24: ['underline'],
  27: ['inverse'],
  29: ['strike'],
}

/** Where in an escape sequence the text is. A string, as a title to be, ends with the line: it can hide no more. */
type Place = 'text' | 'escape' | 'sequence' | 'string'

const longestSequence = 64
/** Invisible, or change the direction of what follows: a line is to be what it looks like. */
const hidden = /[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/

/**
 * The output of a program, made harmless: of the escape sequences (ECMA-48) colours and the like of letters become names of
 * classes, and all others go, with every control character but the ends of lines and tabs. Backgrounds go too: no
 * colour is legible on all of them. May be fed in pieces that end anywhere.
 */
export class AnsiText {
  /** The last lines, oldest first; the last one may go on. */
  readonly lines: OutputLine[] = [[]]
  /** How many lines there were before these. */
  dropped = 0

  #limit: number
  #place: Place = 'text'
  #sequence = ''
  #look = new Set<string>()
  #colour = ''
  #returned = false

  constructor(limit = 5_000) {
    this.#limit = limit
  }

  write(text: string) {
    let plain = ''
    const flush = () => {
      this.#append(plain)
      plain = ''
    }
    for (const c of text) {
      const code = c.charCodeAt(0)
      if (this.#returned && this.#place === 'text' && c !== '\r') {
        // What follows a carriage return is written over the line, as by a progress bar.
        if (c !== '\n') {
          plain = ''
          this.lines[this.lines.length - 1] = []
        }
        this.#returned = false
      }
      if (c === '\n') {
        flush()
        this.#place = 'text'
        this.lines.push([])
        if (this.lines.length > this.#limit) {
          this.lines.shift()
          this.dropped++
        }
      } else if (c === '\x1b') {
        flush()
        this.#place = 'escape'
      } else if (code === 0x9b) {
        flush()
        this.#begin('sequence')
      } else if ([0x90, 0x98, 0x9d, 0x9e, 0x9f].includes(code)) {
        flush()
        this.#begin('string')
      } else if (this.#place !== 'text') {
        this.#escaped(c, code)
      } else if (c === '\r') {
        this.#returned = true
      } else if (c === '\t' || (code >= 0x20 && (code < 0x7f || code > 0x9f) && !hidden.test(c))) {
        plain += c
      }
    }
    flush()
  }

  #begin(place: Place) {
    this.#place = place
    this.#sequence = ''
  }

  #escaped(c: string, code: number) {
    switch (this.#place) {
      case 'escape':
        if (c === '[') this.#begin('sequence')
        else if (']PX^_'.includes(c)) this.#begin('string')
        else if (code < 0x20 || code > 0x2f) this.#place = 'text'
        return
      case 'sequence':
        if (code >= 0x40 || code < 0x20) {
          if (c === 'm') this.#letters(this.#sequence)
          this.#place = 'text'
        } else if (this.#sequence.length < longestSequence) {
          this.#sequence += c
        }
        return
      case 'string':
        if (c === '\x07' || code === 0x9c || c === '\x18' || c === '\x1a') this.#place = 'text'
    }
  }

  /** Select graphic rendition. */
  #letters(parameters: string) {
    if (!/^[\d;:]*$/.test(parameters)) return
    const codes = parameters.split(/[;:]/).map(Number)
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i] ?? 0
      const attribute = attributes[code]
      if (code === 0) {
        this.#look.clear()
        this.#colour = ''
      } else if (attribute) this.#look.add(attribute)
      else if (ends[code]) for (const name of ends[code]) this.#look.delete(name)
      else if (code >= 30 && code <= 37) this.#colour = `c${code - 30}`
      else if (code >= 90 && code <= 97) this.#colour = `c${code - 90 + 8}`
      else if (code === 39) this.#colour = ''
      else if (code === 38 || code === 48) {
        const indexed = codes[i + 1] === 5
        const index = codes[i + 2] ?? 0
        // Of the larger palettes only the first sixteen are the same everywhere.
        if (code === 38) this.#colour = indexed && index < 16 ? `c${index}` : ''
        i += indexed ? 2 : 4
      }
    }
  }

  #append(text: string) {
    if (text === '') return
    const look = [...this.#look, this.#colour].filter(Boolean).join(' ')
    const at = this.lines.length - 1
    const line = this.lines[at] ?? []
    const end = line.at(-1)
    this.lines[at] =
      end?.look === look
        ? [...line.slice(0, -1), { text: end.text + text, look }]
        : [...line, { text, look }]
  }
}
