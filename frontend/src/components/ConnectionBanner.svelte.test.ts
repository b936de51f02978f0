import { flushSync, mount, unmount } from 'svelte'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { live } from '../lib/app.svelte'
import ConnectionBanner from './ConnectionBanner.svelte'

let component: object
const text = () => document.body.textContent.replace(/\s+/g, ' ').trim()

/** Each text that is shown within so many milliseconds, and when it came. */
function shown(span: number): [number, string][] {
  const all: [number, string][] = []
  for (let passed = 0; passed < span; passed += 10) {
    vi.advanceTimersByTime(10)
    flushSync()
    const said = /What you see is .*/.exec(text())?.[0] ?? ''
    if (said !== '' && said !== all.at(-1)?.[1]) all.push([passed + 10, said])
  }
  return all
}

beforeEach(() => {
  vi.useFakeTimers()
  live.state = 'waiting'
  live.lost = 'broken'
  live.lostAt = Date.now()
  live.retryAt = Date.now() + 4_320
  component = mount(ConnectionBanner, { target: document.body })
  flushSync()
})
afterEach(() => {
  void unmount(component)
  live.state = 'off'
  live.lost = null
  live.lostAt = 0
  vi.useRealTimers()
})

it('counts the age of what is shown, and the time until the next try, at one beat', () => {
  expect(shown(4_300)).toEqual([
    [1_000, 'What you see is 1s old. Trying again in 4 s. Try now'],
    [2_000, 'What you see is 2s old. Trying again in 3 s. Try now'],
    [3_000, 'What you see is 3s old. Trying again in 2 s. Try now'],
    [4_000, 'What you see is 4s old. Trying again in 1 s. Try now'],
  ])
})

it('keeps the beat when a try fails between two', () => {
  vi.advanceTimersByTime(4_400)
  live.retryAt = Date.now() + 2_450
  expect(shown(2_200)).toEqual([
    [10, 'What you see is 4s old. Trying again in 3 s. Try now'],
    [600, 'What you see is 5s old. Trying again in 2 s. Try now'],
    [1_600, 'What you see is 6s old. Trying again in 1 s. Try now'],
  ])
})
