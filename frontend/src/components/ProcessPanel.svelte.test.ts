import { flushSync, mount, unmount } from 'svelte'
import { expect, it, vi } from 'vitest'
import { api } from '../lib/api'
import ProcessPanel from './ProcessPanel.svelte'

it.each(['20727:242740', '20727'])('is titled by the PID while it loads: %s', (id) => {
  vi.spyOn(api, 'call').mockReturnValue(new Promise(() => {}))
  const component = mount(ProcessPanel, { target: document.body, props: { id, onclose: () => {} } })
  flushSync()
  expect(document.querySelector('h2')?.textContent).toBe('Process 20727')
  void unmount(component)
})
