import { flushSync, mount, tick, unmount } from 'svelte'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { api } from '../lib/api'
import type { Operation } from '../lib/wire.gen'
import RecordPanel from './RecordPanel.svelte'

let component: object

const operation = {
  id: '7',
  logTime: '2026-03-14T09:26:53Z',
  logType: 'service.start',
  target: 'web.service',
  actor: 'ada',
  source: '::1',
  retStatus: 'failed',
  message: 'web.service: start failed: exit status 3',
  detail: [
    'main process: exit status 3',
    '',
    '2026-03-14T09:26:54Z web[7]: no table since 2026-03-14T09:26:50Z',
    '2026-03-14T09:26:50Z is no time of a line',
  ].join('\n'),
  exitCode: 3,
  duration: 1,
  logStatus: 'seen',
  seenBy: '',
} satisfies Operation

beforeEach(async () => {
  vi.stubEnv('TZ', 'Asia/Shanghai')
  vi.spyOn(api, 'call').mockResolvedValue({ operation })
  component = mount(RecordPanel, { target: document.body, props: { id: '7', onclose: () => {} } })
  flushSync()
  await vi.waitFor(() => expect(document.querySelector('pre')).not.toBeNull())
  await tick()
})
afterEach(() => {
  void unmount(component)
  vi.unstubAllEnvs()
})

it('shows the lines of the journal in the zone of its time, and says which', () => {
  const times = [...document.querySelectorAll('dd')].map((dd) => dd.textContent)
  expect(times).toContainEqual(expect.stringContaining('Mar 14, 2026, 17:26:53 GMT+8 ('))
  expect(document.querySelector('pre')?.textContent.split('\n')).toEqual([
    'Mar 14, 2026, 17:26:54 web[7]: no table since 2026-03-14T09:26:50Z',
    '2026-03-14T09:26:50Z is no time of a line',
  ])
})
