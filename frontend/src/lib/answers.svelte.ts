import { api, asApiError } from './api'
import type { CallOptions } from './api'
import { live } from './app.svelte'
import type { EntryReply } from './wire.gen'

/** Where no live connection tells, it is asked so often whether the server answers. In milliseconds. */
const pause = 3_000
/** And so long an answer is waited for: the next try may find a way. */
const within = 5_000

/** Does something from time to time while it is looked at, and at once when the network returns or the page is shown. */
export function nowAndThen(ask: (options: CallOptions) => Promise<void>): () => void {
  let asking = false
  async function once() {
    if (asking || document.hidden) return
    asking = true
    await ask({ within })
    asking = false
  }
  const look = () => void once()
  const timer = setInterval(look, pause)
  addEventListener('online', look)
  addEventListener('focus', look)
  document.addEventListener('visibilitychange', look)
  return () => {
    clearInterval(timer)
    removeEventListener('online', look)
    removeEventListener('focus', look)
    document.removeEventListener('visibilitychange', look)
  }
}

/**
 * Whether the server answers again that did not when something was asked of it: that failure, or false where it was
 * another one. To be called while a component is made.
 */
export function answersAgain(failure: () => object | false): { readonly current: boolean } {
  let current = $state(false)

  async function ask(options: CallOptions) {
    try {
      await api.call<EntryReply>('GET', '/entry', undefined, options)
      current = true
    } catch (error) {
      current = asApiError(error).code !== 'unreachable'
    }
  }

  $effect(() => {
    current = false
    if (!failure()) return
    let missed = false
    $effect(() => {
      if (current) return
      if (live.state === 'off') return nowAndThen(ask)
      if (live.state !== 'live') missed = true
      else if (missed) current = true
    })
  })
  return {
    get current() {
      return current
    },
  }
}
