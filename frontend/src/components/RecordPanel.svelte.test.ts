import { flushSync, mount, tick, unmount } from 'svelte'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { api } from '../lib/api'
import type { Operation } from '../lib/wire.gen'
import RecordPanel from './RecordPanel.svelte'

let component: object

async function open(part: Partial<Operation>) {
  const operation = {
    id: '7',
    logTime: '2026-03-14T09:26:53Z',
    logType: 'service.start',
    target: 'web.service',
    actor: 'ada',
    source: '::1',
    retStatus: 'failed',
    message: 'web.service: start failed: exit status 3',
    detail: '',
    exitCode: null,
    duration: 1,
    logStatus: 'seen',
    seenBy: '',
    ...part,
  } satisfies Operation
  vi.spyOn(api, 'call').mockResolvedValue({ operation })
  component = mount(RecordPanel, { target: document.body, props: { id: '7', onclose: () => {} } })
  flushSync()
  await vi.waitFor(() => expect(document.querySelector('dd')).not.toBeNull())
  await tick()
}

beforeEach(() => void vi.stubEnv('TZ', 'Asia/Shanghai'))
afterEach(() => {
  void unmount(component)
  vi.unstubAllEnvs()
})

it('shows the lines of the journal in the zone of its time, and says which', async () => {
  await open({
    exitCode: 3,
    detail: [
      'main process: exit status 3',
      '',
      '2026-03-14T09:26:54Z web[7]: no table since 2026-03-14T09:26:50Z',
      '2026-03-14T09:26:50Z is no time of a line',
    ].join('\n'),
  })
  const times = [...document.querySelectorAll('dd')].map((dd) => dd.textContent)
  expect(times).toContainEqual(expect.stringContaining('Mar 14, 2026, 17:26:53 GMT+8 ('))
  expect(document.querySelector('pre')?.textContent.split('\n')).toEqual([
    'Mar 14, 2026, 17:26:54 web[7]: no table since 2026-03-14T09:26:50Z',
    '2026-03-14T09:26:50Z is no time of a line',
  ])
})

it('tells whose a signalled process was, and its command line', async () => {
  await open({
    logType: 'process.signal',
    target: '13069:242328',
    message: 'sent SIGTERM to process 13069 (sleep)',
    detail: 'user: root\ncommand line: sleep user: 1000\n',
  })
  const text = document.body.textContent.replace(/\s+/g, ' ').trim()
  expect(text).toContain('User root')
  expect(text).toContain('Command line sleep user: 1000')
  expect(document.querySelector('pre')).toBeNull()
})

it('shows any other detail as it is', async () => {
  await open({ logType: 'user.add', message: 'added', detail: 'user: root\n' })
  expect(document.querySelector('pre')?.textContent).toBe('user: root\n')
})
