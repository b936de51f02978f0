import { MediaQuery } from 'svelte/reactivity'
import { Acting } from './acting.svelte'
import { api, ApiError } from './api'
import { HostFacts } from './host.svelte'
import { i18n } from './i18n.svelte'
import { Live } from './live.svelte'
import type { Probe } from './live.svelte'
import { Operations } from './operations.svelte'
import { Session } from './session.svelte'
import { SummaryStore } from './summary.svelte'
import type { SessionReply } from './wire.gen'

export const session = new Session(api)
export const operations = new Operations(api)
export const acting = new Acting(api, operations)

export const live = new Live(
  {
    open: () =>
      new WebSocket(new URL('/api/v1/live', location.href.replace(/^http/, 'ws')), 'topdeck.v1'),
    probe,
    random: Math.random,
  },
  {
    hello: ({ username, role, unseen, commands }) => {
      session.confirm(username, role)
      void i18n.learn()
      acting.commands = commands && role === 'admin'
      void operations.welcome(username, unseen)
    },
    operation: ({ operation, unseen }) => operations.arrived(operation, unseen),
    unseen: (unseen) => operations.counted(unseen),
    ended: (why) => session.leave(true, why),
  },
)

export const summary = new SummaryStore(live, api)
export const host = new HostFacts(api)

api.onEnded = (why) => session.leave(true, why)
api.onUnreachable = () => live.doubt()

/** Too narrow for tables: they become lists. */
export const narrow = new MediaQuery('(max-width: 44.9375em)', false)
/** Room for the columns that one misses least. */
export const wide = new MediaQuery('(min-width: 75em)', true)

async function probe(): Promise<Probe> {
  try {
    const user = await api.call<SessionReply>('GET', '/session', undefined, { within: 5_000 })
    // The role has come to need a second factor: that is why nothing is told any more.
    if (user.mustEnrol) session.enter(user)
    return 'answers'
  } catch (error) {
    if (!(error instanceof ApiError)) return 'unreachable'
    if (error.code === 'unauthenticated' || error.code === 'unavailable') return 'signed out'
    return error.code === 'unreachable' ? 'unreachable' : 'answers'
  }
}
