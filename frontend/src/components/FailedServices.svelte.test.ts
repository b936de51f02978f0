import { flushSync, mount, unmount } from 'svelte'
import { afterEach, beforeEach, expect, it } from 'vitest'
import FailedServices from './FailedServices.svelte'

let component: object
const props = $state({ failed: { total: 0, names: [] as string[] } })
const text = () => document.body.textContent.replace(/\s+/g, ' ').trim()

function tell(...names: string[]) {
  props.failed = { total: names.length, names: names.slice(0, 10) }
  flushSync()
}

beforeEach(() => {
  tell('db.service', 'web.service')
  component = mount(FailedServices, { target: document.body, props })
  flushSync()
})
afterEach(() => void unmount(component))

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
