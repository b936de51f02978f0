import { flushSync, mount, tick, unmount } from 'svelte'
import { expect, it, vi } from 'vitest'
import { api } from '../lib/api'
import { live } from '../lib/app.svelte'
import type { Subject, Watcher } from '../lib/live.svelte'
import { router } from '../lib/router.svelte'
import type { Service } from '../lib/wire.gen'
import Services from './Services.svelte'

function service(name: string, unitFileState: string): Service {
  return {
    name,
    manager: 'systemd',
    description: '',
    loadState: 'loaded',
    activeState: 'active',
    subState: 'running',
    unitFileState,
    result: '',
    exitCode: null,
    signal: '',
    mainPid: 0,
    pids: [],
    ports: [],
    cpuPercent: null,
    memory: null,
    since: null,
    actions: [],
  }
}

it('says of each service what its term for the start of the host means', async () => {
  vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(300)
  vi.spyOn(api, 'call').mockReturnValue(new Promise(() => {}))
  let watcher: Watcher | undefined
  vi.spyOn(live, 'watch').mockImplementation(((_: Subject, heard: Watcher) => {
    watcher = heard
    return { change: () => {}, close: () => {} }
  }) as unknown as typeof live.watch)
  const stop = router.start()
  const component = mount(Services, { target: document.body })
  flushSync()
  watcher?.snapshot?.({
    type: 'snapshot',
    view: 1,
    seq: 1,
    time: '2026-03-14T09:26:53Z',
    total: 2,
    matched: 2,
    rows: [service('a.service', 'enabled-runtime'), service('b.service', 'bad')],
    errors: {},
  })
  flushSync()
  await tick()
  const tips = [...document.querySelectorAll('td')].map((cell) => cell.title)
  expect(tips).toContain('enabled-runtime: starts with the host, until the next boot')
  expect(tips).toContain('bad')
  void unmount(component)
  stop()
})
