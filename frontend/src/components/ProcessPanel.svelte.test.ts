import { flushSync, mount, unmount } from 'svelte'
import { expect, it, vi } from 'vitest'
import { api, ApiError } from '../lib/api'
import ProcessPanel from './ProcessPanel.svelte'

it.each(['20727:242740', '20727'])('is titled by the PID while it loads: %s', (id) => {
  vi.spyOn(api, 'call').mockReturnValue(new Promise(() => {}))
  const component = mount(ProcessPanel, { target: document.body, props: { id, onclose: () => {} } })
  flushSync()
  expect(document.querySelector('h2')?.textContent).toBe('Process 20727')
  void unmount(component)
})

it('that may not be seen says so, and is not asked for again', async () => {
  vi.useFakeTimers()
  const refusal = new ApiError('forbidden', 'your role, viewer, may not do this')
  const call = vi.spyOn(api, 'call').mockRejectedValue(refusal)
  call.mockClear()
  const component = mount(ProcessPanel, {
    target: document.body,
    props: { id: '7', onclose: () => {} },
  })
  flushSync()
  await vi.advanceTimersByTimeAsync(30_000)
  const told = document.querySelector('[role=alert]')
  expect(told?.textContent).toContain('Your role, viewer, may not do this.')
  expect(call).toHaveBeenCalledOnce()
  void unmount(component)
  vi.useRealTimers()
})
