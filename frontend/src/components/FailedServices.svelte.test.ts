import { flushSync, mount, unmount } from 'svelte'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { heard } from '../lib/heard.svelte'
import FailedServices from './FailedServices.svelte'

let component: object
const props = $state({ failed: { total: 0, names: [] as string[] } })
const text = () => document.body.textContent.replace(/\s+/g, ' ').trim()
const said = () => heard.lines.map(({ text }) => text)

function tell(...names: string[]) {
  props.failed = { total: names.length, names }
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
