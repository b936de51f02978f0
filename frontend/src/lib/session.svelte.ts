import { asApiError } from './api'
import type { Api, ApiError, CallOptions } from './api'
import type { Form } from './i18n/said.gen'
import type { EntryReply, SessionReply } from './wire.gen'

export type Role = SessionReply['role']

/** What the server says when it does not know whose session it was. */
const unknown: Form = 'sign in first'

const ranks: Record<Role, number> = { viewer: 0, operator: 1, admin: 2 }

export const roles = Object.keys(ranks) as Role[]

/**
 * asking: not known yet. empty: there are no accounts. failed: the server did not answer as it should. enrolling: signed
 * in, and nothing can be done before a second factor is set up.
 */
export type SessionState = 'asking' | 'empty' | 'failed' | 'out' | 'enrolling' | 'in'

/** Who is signed in. */
export class Session {
  state = $state<SessionState>('asking')
  user = $state.raw<SessionReply | null>(null)
  /** Whose session ended that they did not end themselves; empty: nobody's did. */
  ended = $state('')
  /** Why the session ended, in the server's words; empty where that is not known, or the user ended it. */
  why = $state('')
  /** The role that the user had before their session ended, where it is another one now; empty: it is not. */
  formerRole = $state<Role | ''>('')
  failure = $state.raw<ApiError | null>(null)

  #api: Api
  /** Whose session ended, as they were then. */
  #before: SessionReply | null = null
  #leaving = false

  constructor(api: Api) {
    this.#api = api
  }

  /** Whether the user's role includes a role. */
  can(role: Role): boolean {
    return this.user !== null && ranks[this.user.role] >= ranks[role]
  }

  /** Asks the server who is signed in. */
  async load(options: CallOptions = {}) {
    try {
      const reply = await this.#api.call<EntryReply>('GET', '/entry', undefined, options)
      const { session, ended = '' } = reply
      if (session) this.enter(session)
      else {
        this.user = null
        this.why = ended
        this.state = 'out'
      }
    } catch (error) {
      const failure = asApiError(error)
      this.user = null
      if (failure.code === 'unavailable') this.state = 'empty'
      else {
        this.failure = failure
        this.state = 'failed'
      }
    }
  }

  /** Tells the server that somebody is there, and learns when the session would end. */
  async keep() {
    try {
      this.user = await this.#api.call<SessionReply>('GET', '/session')
    } catch (error) {
      // That the session ended has been told; that the server is away, the live connection tells.
      asApiError(error)
    }
  }

  async login(username: string, password: string, code = '') {
    const body = code ? { username, password, code } : { username, password }
    this.enter(await this.#api.call<SessionReply>('POST', '/session', body, { signingIn: true }))
  }

  async logout() {
    // The live connection may hear of it before the answer comes.
    this.#leaving = true
    try {
      await this.#api.call('DELETE', '/session', undefined, { signingIn: true })
      this.leave(false)
    } finally {
      this.#leaving = false
    }
  }

  enter(user: SessionReply) {
    const before = this.#before?.username === user.username ? this.#before.role : user.role
    this.formerRole = before === user.role ? '' : before
    this.#before = null
    this.user = user
    this.ended = this.why = ''
    this.state = user.mustEnrol ? 'enrolling' : 'in'
  }

  /** The live connection tells who it stands for: another role applies at once. */
  confirm(username: string, role: Role) {
    if (this.user) this.user = { ...this.user, username, role }
  }

  leave(ended: boolean, why = '') {
    if (this.user === null) return
    this.#before = ended && !this.#leaving ? this.user : null
    this.ended = this.#before?.username ?? ''
    this.why = this.#before && why !== unknown ? why : ''
    this.user = null
    this.state = 'out'
  }
}
