import { usualTimeout } from './acting.svelte'
import type { Role } from './session.svelte'

/**
 * What somebody writes into the form of the services, and of a user whom they add: but for passwords. It is there still when
 * they come back to it: from another page, after they closed it, or after their session ended.
 */
export class Draft {
  name = $state('')
  action = $state<'start' | 'stop' | 'restart'>('restart')
  command = $state('')
  /** In seconds. */
  timeout = $state(usualTimeout)
  user = $state('')
  role = $state<Role>('viewer')

  constructor(readonly owner: string) {}

  /** The user was added, or is not to be. */
  forgetUser() {
    this.user = ''
    this.role = 'viewer'
  }
}

let last = new Draft('')

/** The draft of a user. What somebody else wrote in this browser is gone. */
export function draftOf(username: string): Draft {
  if (last.owner !== username) last = new Draft(username)
  return last
}
