import { flushSync, mount, unmount } from 'svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ApiError } from '../lib/api'
import type { ErrorCode } from '../lib/api'
import { live } from '../lib/app.svelte'
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

describe('that the server does not answer', () => {
  let component: object
  const told = () => document.querySelector('[role=alert]')?.textContent.trim()
  const again = 'The server did not answer. It does again: please try once more.'

  function fail(code: ErrorCode) {
    component = mount(Failure, { target: document.body, props: { failure: new ApiError(code) } })
    flushSync()
  }

  function turn(state: typeof live.state) {
    live.state = state
    flushSync()
  }

  beforeEach(() => {
    vi.useFakeTimers()
    turn('live')
  })
  afterEach(() => {
    void unmount(component)
    turn('off')
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  it('is told until the connection is back', () => {
    fail('unreachable')
    for (const state of ['live', 'waiting', 'opening'] as const) {
      turn(state)
      expect(told()).toBe('The server does not answer.')
    }
    turn('live')
    expect(told()).toBe(again)
  })

  it('is told until it is back of what fails while the connection is lost', () => {
    turn('waiting')
    fail('unreachable')
    expect(told()).toBe('The server does not answer.')
    turn('live')
    expect(told()).toBe(again)
  })

  it('is told of nothing else', () => {
    fail('internal')
    for (const state of ['waiting', 'live'] as const) turn(state)
    expect(told()).toBe('The server failed; its own log says why.')
  })

  it('is told until a request is answered, where nobody is signed in', async () => {
    turn('off')
    let answer = () => Promise.reject<Response>(new TypeError('Failed to fetch'))
    vi.stubGlobal('fetch', () => answer())
    fail('unreachable')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(told()).toBe('The server does not answer.')
    answer = () => Promise.resolve(Response.json({ session: null }))
    await vi.advanceTimersByTimeAsync(3_000)
    expect(told()).toBe(again)
  })
})
