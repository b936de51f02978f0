import { flushSync, mount, tick, unmount } from 'svelte'
import { expect, it, vi } from 'vitest'
import { api } from '../lib/api'
import { live } from '../lib/app.svelte'
import type { Subject, Watcher } from '../lib/live.svelte'
import { router } from '../lib/router.svelte'
import type { Socket } from '../lib/wire.gen'
import Sockets from './Sockets.svelte'

function socket(cookie: string, state: string, pid: number): Socket {
  return {
    protocol: 'tcp',
    recvQ: 0,
    sendQ: 0,
    localAddress: '127.0.0.1',
    localPort: 80,
    remoteAddress: '127.0.0.1',
    remotePort: 4242,
    state,
    pid,
    program: pid > 0 ? 'nginx' : '',
    user: 'root',
    unit: '',
    inode: 1,
    cookie,
  }
}

it('says of a socket without a process why that may be', async () => {
  vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(300)
  vi.spyOn(api, 'call').mockReturnValue(new Promise(() => {}))
  let watcher: Watcher | undefined
  vi.spyOn(live, 'watch').mockImplementation(((_: Subject, heard: Watcher) => {
    watcher = heard
    return { change: () => {}, close: () => {} }
  }) as unknown as typeof live.watch)
  const stop = router.start()
  const component = mount(Sockets, { target: document.body })
  flushSync()
  watcher?.snapshot?.({
    type: 'snapshot',
    view: 1,
    seq: 1,
    time: '2026-03-14T09:26:53Z',
    total: 3,
    matched: 3,
    rows: [socket('1', 'LISTEN', 7), socket('2', 'LISTEN', 0), socket('3', 'TIME_WAIT', 0)],
    errors: {},
  })
  flushSync()
  await tick()
  const owners = [...document.querySelectorAll('td')]
    .filter(({ cellIndex }) => cellIndex === 6)
    .map((cell) => [cell.textContent.trim(), cell.title])
  expect(owners).toEqual([
    ['7/nginx', '7/nginx'],
    ['unknown', expect.stringContaining('another PID namespace')],
    ['–', expect.stringContaining('the kernel opens or ends')],
  ])
  void unmount(component)
  stop()
})
