import { flushSync, mount, unmount } from 'svelte'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { live } from '../lib/app.svelte'
import Journal from './Journal.svelte'

let component: object

beforeEach(() => void vi.stubEnv('TZ', 'Asia/Shanghai'))
afterEach(() => {
  void unmount(component)
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

it('says of which day its lines are, once a day', () => {
  const watching = { close: () => {} } as ReturnType<typeof live.watch>
  const watch = vi.spyOn(live, 'watch').mockReturnValue(watching)
  component = mount(Journal, { target: document.body, props: { service: 'systemd:web.service' } })
  flushSync()
  const times = ['2026-03-13T15:59:58Z', '2026-03-13T16:00:00Z', '2026-03-14T09:00:00Z']
  const lines = times.map((time, i) => ({
    time,
    priority: 6,
    program: 'web',
    pid: 7,
    text: `line ${i}`,
  }))
  watch.mock.calls[0]?.[1].began?.()
  watch.mock.calls[0]?.[1].journal?.({ type: 'journal', view: 1, lines })
  flushSync()
  const shown = [...document.querySelectorAll('li')].map((li) =>
    li.textContent.replace(/\s+/g, ' ').trim(),
  )
  expect(shown).toEqual([
    'Mar 13, 2026',
    '23:59:58 line 0',
    'Mar 14, 2026',
    '00:00:00 line 1',
    '17:00:00 line 2',
  ])
})
