import { expect, it } from 'vitest'
import type { Socket } from '../lib/wire.gen'
import { listed } from './listed'
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
  const end = await listed(Sockets, [
    socket('1', 'LISTEN', 7),
    socket('2', 'LISTEN', 0),
    socket('3', 'TIME_WAIT', 0),
  ])
  const owners = [...document.querySelectorAll('td')]
    .filter(({ cellIndex }) => cellIndex === 6)
    .map((cell) => [cell.textContent.trim(), cell.title])
  expect(owners).toEqual([
    ['7/nginx', '7/nginx'],
    ['unknown', expect.stringContaining('another PID namespace')],
    ['–', expect.stringContaining('the kernel opens or ends')],
  ])
  end()
})

it('shows first of the sockets of a port who listens at it', async () => {
  const end = await listed(Sockets, [
    socket('1', 'TIME_WAIT', 0),
    { ...socket('2', 'ESTABLISHED', 8), localPort: 22 },
    { ...socket('3', 'LISTEN', 7), remotePort: 0 },
  ])
  const states = [...document.querySelectorAll('td')]
    .filter(({ cellIndex }) => cellIndex === 5)
    .map((cell) => cell.textContent.trim())
  expect(states).toEqual(['ESTABLISHED', 'LISTEN', 'TIME_WAIT'])
  end()
})
