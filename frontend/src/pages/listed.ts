import { flushSync, mount, tick, unmount } from 'svelte'
import type { Component } from 'svelte'
import { vi } from 'vitest'
import { api } from '../lib/api'
import { live } from '../lib/app.svelte'
import type { Subject, Watcher } from '../lib/live.svelte'
import { router } from '../lib/router.svelte'

/** For tests: a page of one live list, with these rows. Returns what takes it away again. */
export async function listed(page: Component, rows: readonly object[]): Promise<() => void> {
  vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(300)
  vi.spyOn(api, 'call').mockReturnValue(new Promise(() => {}))
  let watcher: Watcher | undefined
  vi.spyOn(live, 'watch').mockImplementation(((_: Subject, heard: Watcher) => {
    watcher = heard
    return { change: () => {}, close: () => {} }
  }) as unknown as typeof live.watch)
  const stop = router.start()
  const component = mount(page, { target: document.body })
  flushSync()
  const { length } = rows
  watcher?.snapshot?.({
    type: 'snapshot',
    view: 1,
    seq: 1,
    time: '2026-03-14T09:26:53Z',
    total: length,
    matched: length,
    rows: [...rows],
    errors: {},
  })
  flushSync()
  await tick()
  return () => {
    void unmount(component)
    stop()
  }
}
