import { flushSync, mount, tick, unmount } from 'svelte'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { api } from '../lib/api'
import { live, operations } from '../lib/app.svelte'
import type { Operation } from '../lib/wire.gen'
import FailedServices from './FailedServices.svelte'

let component: object
let failed: string[]
const text = () => document.body.textContent.replace(/\s+/g, ' ').trim()

async function settle() {
  flushSync()
  await Promise.resolve()
  await tick()
}

beforeEach(async () => {
  failed = ['db.service', 'web.service']
  vi.spyOn(api, 'call').mockImplementation(() =>
    Promise.resolve({ services: failed.map((name) => ({ name })) }),
  )
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(false)
  live.state = 'live'
  component = mount(FailedServices, { target: document.body })
  await settle()
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

it('asks again after an act, and is not there when none has failed', async () => {
  failed = []
  operations.arrived({ id: '1', logType: 'service.start', retStatus: 'succeeded' } as Operation, 0)
  await settle()
  expect(text()).toBe('')
})
