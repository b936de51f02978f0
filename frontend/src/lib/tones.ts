import type { Tone } from '../components/Badge.svelte'
import type { Operation, Service } from './wire.gen'

export function statusTone(status: Operation['retStatus']): Tone {
  switch (status) {
    case 'running':
      return 'busy'
    case 'succeeded':
      return 'good'
    case 'failed':
      return 'bad'
    case 'interrupted':
      return 'warn'
  }
}

/** A service's state by systemd's words. */
export function serviceTone({ activeState, loadState }: Service): Tone {
  if (loadState === 'not-found' || loadState === 'bad-setting' || loadState === 'error')
    return 'warn'
  switch (activeState) {
    case 'active':
      return 'good'
    case 'activating':
    case 'deactivating':
    case 'reloading':
    case 'refreshing':
      return 'busy'
    case 'failed':
      return 'bad'
    default:
      return 'idle'
  }
}

/** A process's state by ps's letter. */
export function processTone(state: string): Tone {
  switch (state) {
    case 'R':
      return 'good'
    case 'D':
      return 'warn'
    case 'Z':
    case 'X':
      return 'bad'
    case 'T':
    case 't':
      return 'warn'
    default:
      return 'idle'
  }
}

/** A socket's state as ss writes it. */
export function socketTone(state: string): Tone {
  switch (state) {
    case 'LISTEN':
    case 'UNCONN':
    case 'TIME_WAIT':
      return 'idle'
    case 'ESTABLISHED':
      return 'good'
    case 'CLOSE_WAIT':
    case 'LAST_ACK':
      return 'warn'
    default:
      return 'busy'
  }
}
