import { usualTimeout } from './acting.svelte'

/**
 * What somebody writes into the form of the services. It is there still when they come back to it: from another page, or
 * after their session ended.
 */
export class Draft {
  name = $state('')
  action = $state<'start' | 'stop' | 'restart'>('restart')
  command = $state('')
  /** In seconds. */
  timeout = $state(usualTimeout)

  constructor(readonly owner: string) {}
}

let last = new Draft('')

/** The draft of a user. What somebody else wrote in this browser is gone. */
export function draftOf(username: string): Draft {
  if (last.owner !== username) last = new Draft(username)
  return last
}
