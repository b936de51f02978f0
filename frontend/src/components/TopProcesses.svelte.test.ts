import { flushSync, mount, unmount } from 'svelte'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { live } from '../lib/app.svelte'
import type { Watcher } from '../lib/live.svelte'
import type { Process } from '../lib/wire.gen'
import TopProcesses from './TopProcesses.svelte'

let component: object
let watcher: Watcher<Process>

beforeEach(() => {
  vi.spyOn(live, 'watch').mockImplementation((_, hears) => {
    watcher = hears as unknown as Watcher<Process>
    return { close: () => {} } as ReturnType<typeof live.watch>
  })
  const props = { title: 'Processes by CPU', by: 'cpuPercent' as const }
  component = mount(TopProcesses, { target: document.body, props })
  flushSync()
})
afterEach(() => void unmount(component))

it('shows the processes to who points there already when they come', () => {
  const loading = document.querySelector('section p')
  expect(loading?.textContent).toContain('Loading')
  loading?.dispatchEvent(new PointerEvent('pointermove', { bubbles: true, pointerType: 'mouse' }))
  flushSync()
  watcher.snapshot?.({
    type: 'snapshot',
    view: 1,
    seq: 1,
    time: '2026-03-14T09:26:53Z',
    total: 1,
    matched: 1,
    rows: [
      { pid: 7, startTicks: 1, comm: 'sh', cmdline: 'sh', cpuPercent: 5 } as unknown as Process,
    ],
    errors: {},
  })
  flushSync()
  expect(document.body.textContent).toContain('5.0')
})
