import { flushSync, mount, unmount } from 'svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { heard } from '../lib/heard.svelte'
import FailedServices from './FailedServices.svelte'

let component: object
const props = $state({ failed: { total: 0, names: [] as string[] } })
const text = () => document.body.textContent.replace(/\s+/g, ' ').trim()
const said = () => heard.lines.map(({ text }) => text)

function tell(...names: string[]) {
  props.failed = { total: names.length, names: names.slice(0, 10) }
  flushSync()
}

beforeEach(() => {
  vi.useFakeTimers()
  heard.forget()
  tell('db.service', 'web.service')
  component = mount(FailedServices, { target: document.body, props })
  flushSync()
})
afterEach(() => {
  void unmount(component)
  vi.useRealTimers()
})

it('names the services that have failed, and leads to them', () => {
  expect(text()).toBe('2 failed services db.service, web.service')
  const ways = Array.from(document.querySelectorAll('a'), (a) => a.getAttribute('href'))
  expect(ways).toEqual([
    '/services?q=state:failed',
    '/services?open=db.service',
    '/services?open=web.service',
  ])
})

it('names the first of many', () => {
  tell(...'abcdefg')
  expect(text()).toBe('7 failed services a, b, c, d, e …')
})

it('follows what fails, and is not there when nothing has', () => {
  tell('db.service')
  expect(text()).toBe('1 failed service db.service')
  tell()
  expect(text()).toBe('')
})

it('reads out what fails while one looks on, but not what it opens with', () => {
  tell('api.service', 'db.service', 'web.service')
  vi.advanceTimersByTime(60_000)
  expect(said()).toEqual(['1 failed service: api.service'])
})

it('reads out nothing of what is up again before it is told', () => {
  tell('api.service', 'db.service', 'web.service')
  tell('db.service', 'web.service')
  vi.advanceTimersByTime(60_000)
  expect(said()).toEqual([])
})

describe('of more than are told by name', () => {
  it('one that comes among them because another is up again has not failed now', () => {
    tell(...'abcdefghijkl')
    vi.advanceTimersByTime(60_000)
    heard.forget()
    tell(...'acdefghijkl')
    vi.advanceTimersByTime(60_000)
    expect(said()).toEqual([])
  })

  it('one that is no longer among them because another failed is told of all the same', () => {
    tell(...'abcdefghikl')
    vi.advanceTimersByTime(60_000)
    heard.forget()
    tell(...'abcdefghijkl')
    tell('a', 'aa', ...'bcdefghijkl')
    vi.advanceTimersByTime(60_000)
    expect(said()).toEqual(['2 failed services: j, aa'])
  })
})
