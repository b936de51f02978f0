import { flushSync, mount, unmount } from 'svelte'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { api } from '../lib/api'
import { operations } from '../lib/app.svelte'
import Activity from './Activity.svelte'

let component: object
const asked = () => vi.mocked(api.call).mock.calls.filter(([, path]) => path.endsWith('/activity'))

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(api, 'call').mockResolvedValue({ hours: [], operations: [] })
  component = mount(Activity, { target: document.body })
  flushSync()
})

afterEach(() => {
  void unmount(component)
  vi.useRealTimers()
  vi.restoreAllMocks()
})

it('counts what comes while more comes all the time', () => {
  for (let n = 0; n < 10; n++) {
    operations.arrivals++
    flushSync()
    vi.advanceTimersByTime(1_000)
  }
  expect(asked().length).toBe(1 + 5)
})

it('counts what came while there was no connection', async () => {
  await operations.welcome('ada', 0)
  flushSync()
  vi.advanceTimersByTime(5_000)
  expect(asked().length).toBe(1)
  await operations.welcome('ada', 0)
  flushSync()
  vi.advanceTimersByTime(5_000)
  expect(asked().length).toBe(2)
})
