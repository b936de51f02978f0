import { untrack } from 'svelte'

interface Spoken {
  id: number
  text: string
}

/** How many lines stay, to be read once more. */
const kept = 8
/** Whoever has typed nothing for so long waits for what comes of it. In milliseconds. */
const pause = 1_000

/**
 * What is read out to whoever hears the page instead of seeing it. All of it is said in the one place that is there from the
 * start (App.svelte): a place that comes with its text is not read out by every reader, and of a text that changes twice at
 * once the first is lost.
 */
class Heard {
  lines = $state.raw<readonly Spoken[]>([])
  #count = 0

  say(text: string) {
    this.lines = [...this.lines, { id: ++this.#count, text }].slice(-kept)
  }

  /** Somebody else may sign in next. */
  forget() {
    this.lines = []
  }
}

export const heard = new Heard()

/**
 * Says what came of a search, once for each: what was searched for last, or null while that has no answer yet, and the
 * outcome in words. What the page opens with is not told. To be called while a component is made.
 */
export function sayOutcome(sought: () => string | null, words: () => string) {
  let told = untrack(sought)
  $effect(() => {
    const now = sought()
    if (now === null || now === told) return
    if (told === null) {
      told = now
      return
    }
    const timer = setTimeout(() => {
      told = now
      heard.say(words())
    }, pause)
    return () => clearTimeout(timer)
  })
}
