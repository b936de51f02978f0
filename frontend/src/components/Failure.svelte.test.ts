import { flushSync, mount, unmount } from 'svelte'
import { expect, it } from 'vitest'
import { ApiError } from '../lib/api'
import type { ErrorCode } from '../lib/api'
import Failure from './Failure.svelte'

const places = [undefined, 'panel', 'page'] as const

it.each<[ErrorCode, boolean]>([
  ['unreachable', true],
  ['internal', true],
  ['reauthenticate', true],
  ['not_found', false],
  ['forbidden', false],
])('can be tried again where that may help, wherever it is told: %s', (code, offered) => {
  for (const inPlaceOf of places) {
    const component = mount(Failure, {
      target: document.body,
      props: { failure: new ApiError(code), again: () => {}, inPlaceOf },
    })
    flushSync()
    expect([inPlaceOf, document.querySelector('button') !== null]).toEqual([inPlaceOf, offered])
    void unmount(component)
  }
})
