import { flushSync, mount, unmount } from 'svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { live, operations } from '../lib/app.svelte'
import { heard } from '../lib/heard.svelte'
import type { Watcher } from '../lib/live.svelte'
import FailedBadge from './FailedBadge.svelte'

let component: object
let watcher: Watcher
const props = $state({ silent: false })
const text = () => document.body.textContent.replace(/\s+/g, ' ').trim()
const said = () => heard.lines.map(({ text }) => text)

/** The server tells of a hundred by name. */
function tell(...names: string[]) {
  const message = { type: 'failed', view: 1, seq: 1, total: names.length } as const
  watcher.failed?.({ ...message, names: names.slice(0, 100) })
  flushSync()
}

beforeEach(() => {
  vi.useFakeTimers()
  heard.forget()
  props.silent = false
  vi.spyOn(live, 'watch').mockImplementation((subject, hears) => {
    expect(subject).toEqual({ topic: 'failed' })
    watcher = hears as Watcher
    return { close: () => {} } as ReturnType<typeof live.watch>
  })
  component = mount(FailedBadge, { target: document.body, props })
  flushSync()
})
afterEach(() => {
  void unmount(component)
  vi.useRealTimers()
})

it('tells how many have failed, and nothing where none has', () => {
  expect(text()).toBe('')
  tell('db.service', 'web.service')
  expect(text()).toBe('2 failed')
  tell()
  expect(text()).toBe('')
})

it('reads out what fails on whatever page one is, but not what that opens with', () => {
  tell('db.service', 'web.service')
  vi.advanceTimersByTime(60_000)
  expect(said()).toEqual([])
  tell('api.service', 'db.service', 'web.service')
  vi.advanceTimersByTime(60_000)
  expect(said()).toEqual(['1 failed service: api.service'])
})

it('reads out the one that fails where many have, and many in one sentence', () => {
  const many = [...'abcdefghijkl']
  tell(...many)
  tell(...many, 'z')
  vi.advanceTimersByTime(60_000)
  expect(said()).toEqual(['1 failed service: z'])
  tell(...many, 'm', 'n', 'o', 'p', 'q', 'r', 'z')
  vi.advanceTimersByTime(60_000)
  expect(said().at(-1)).toBe('6 failed services: m, n, o, p, q …')
})

it('reads out what failed while there was no connection', () => {
  tell('db.service')
  watcher.began?.()
  tell('db.service', 'web.service')
  vi.advanceTimersByTime(60_000)
  expect(said()).toEqual(['1 failed service: web.service'])
})

it('reads out nothing of what is up again before it is told', () => {
  tell('db.service')
  tell('api.service', 'db.service')
  tell('db.service')
  vi.advanceTimersByTime(60_000)
  expect(said()).toEqual([])
})

it('reads out nothing of what somebody acted on, which its record tells', () => {
  vi.spyOn(operations, 'isAt').mockReturnValue(true)
  tell()
  tell('api.service')
  vi.advanceTimersByTime(60_000)
  expect(said()).toEqual([])
})

it('is silent where the page tells it', () => {
  props.silent = true
  tell()
  tell('api.service')
  vi.advanceTimersByTime(60_000)
  expect(said()).toEqual([])
  expect(text()).toBe('1 failed')
})

describe('of more than are told by name', () => {
  const many = Array.from({ length: 120 }, (_, i) => `s${1000 + i}`)

  it('one that comes among them because another is up again has not failed now', () => {
    tell(...many)
    tell(...many.slice(1))
    vi.advanceTimersByTime(60_000)
    expect(said()).toEqual([])
  })

  it('one that is no longer among them because another failed is told of all the same', () => {
    tell(...many)
    tell('a', ...many)
    tell('a', 'b', ...many)
    vi.advanceTimersByTime(60_000)
    expect(said()).toEqual(['2 failed services: a, b'])
  })
})
