import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  answer,
  connect,
  end,
  events,
  hide,
  live,
  play,
  socket,
  watched,
  watcher,
} from './live.played'

beforeEach(play)
afterEach(end)

describe('a connection', () => {
  it('is live from the hello on, and passes it on', () => {
    live.start()
    expect(live.state).toBe('opening')
    socket().hello()
    expect(live.state).toBe('live')
    expect(events.hello).toHaveBeenCalledWith(expect.objectContaining({ username: 'ada' }))
  })

  it('passes on operations and the count of the unseen', () => {
    connect()
    socket().say({ type: 'operation', operation: { id: '3' }, unseen: 2 })
    socket().say({ type: 'unseen', unseen: 0 })
    expect(events.operation).toHaveBeenCalledWith(expect.objectContaining({ unseen: 2 }))
    expect(events.unseen).toHaveBeenCalledWith(0)
  })

  it('notices a newer build', () => {
    connect()
    expect(live.outdated).toBe(false)
    socket().onclose?.({ code: 1001 })
    vi.advanceTimersByTime(1_000)
    socket().hello('b2')
    expect(live.outdated).toBe(true)
  })
})

describe('a watch', () => {
  it('gets its view’s snapshot and the deltas that follow', () => {
    connect()
    const { heard } = watched(7, 10)
    socket().say({ type: 'delta', view: 7, seq: 11 })
    socket().say({ type: 'delta', view: 8, seq: 12 })
    socket().say({ type: 'delta', view: 7, seq: 12 })
    expect(heard.snapshot).toHaveBeenCalledOnce()
    expect(heard.delta.mock.calls.map(([m]) => (m as { seq: number }).seq)).toEqual([11, 12])
  })

  it('begun before the connection is asked for once there is one', () => {
    const heard = watcher()
    live.watch({ topic: 'sockets', q: 'nginx' }, heard)
    connect()
    expect(socket().sent).toEqual([{ watch: { id: 'w1', topic: 'sockets', q: 'nginx' } }])
  })

  it('ignores what the snapshot holds already', () => {
    connect()
    const { heard } = watched(7, 10)
    socket().say({ type: 'delta', view: 7, seq: 10 })
    expect(heard.delta).not.toHaveBeenCalled()
    expect(socket().sent).toHaveLength(1)
  })

  it('ignores deltas before its snapshot', () => {
    connect()
    const heard = watcher()
    live.watch({ topic: 'processes' }, heard)
    socket().say({ type: 'watching', id: 'w1', view: 7 })
    socket().say({ type: 'delta', view: 7, seq: 5 })
    expect(heard.delta).not.toHaveBeenCalled()
    expect(socket().sent).toHaveLength(1)
  })

  it('is asked for anew after a gap, and ignores the rest until the new snapshot', () => {
    connect()
    const { heard } = watched(7, 10)
    socket().say({ type: 'delta', view: 7, seq: 12 })
    expect(socket().sent.slice(1)).toEqual([
      { unwatch: { id: 'w1' } },
      { watch: { id: 'w2', topic: 'processes' } },
    ])
    socket().say({ type: 'delta', view: 7, seq: 13 })
    answer(7, 14)
    socket().say({ type: 'delta', view: 7, seq: 15 })
    expect(heard.delta).toHaveBeenCalledOnce()
    expect(heard.snapshot).toHaveBeenCalledTimes(2)
  })

  it('changes what it watches under a new id', () => {
    connect()
    const { watching, heard } = watched()
    watching.change({ topic: 'processes', q: 'sshd' })
    expect(socket().sent.slice(1)).toEqual([
      { unwatch: { id: 'w1' } },
      { watch: { id: 'w2', topic: 'processes', q: 'sshd' } },
    ])
    socket().say({ type: 'delta', view: 7, seq: 11 })
    expect(heard.delta).not.toHaveBeenCalled()
  })

  it('tells a refusal, and may be changed after it', () => {
    connect()
    const heard = watcher()
    const watching = live.watch({ topic: 'processes', q: 'cpu>' }, heard)
    const error = { code: 'invalid', message: 'no value', position: 4 }
    socket().say({ type: 'error', id: 'w1', error })
    expect(heard.refused).toHaveBeenCalledWith(error)
    watching.change({ topic: 'processes', q: 'cpu>5' })
    expect(socket().sent.at(-1)).toEqual({ watch: { id: 'w2', topic: 'processes', q: 'cpu>5' } })
    expect(socket().sent).toHaveLength(2)
  })

  it('ends', () => {
    connect()
    const { watching, heard } = watched()
    watching.close()
    expect(socket().sent.at(-1)).toEqual({ unwatch: { id: 'w1' } })
    socket().say({ type: 'delta', view: 7, seq: 11 })
    expect(heard.delta).not.toHaveBeenCalled()
  })

  it('of the summary takes what comes, gap or not', () => {
    connect()
    const heard = watcher()
    live.watch({ topic: 'summary' }, heard)
    socket().say({ type: 'watching', id: 'w1', view: 3 })
    for (const seq of [4, 5, 9]) socket().say({ type: 'summary', view: 3, seq })
    expect(heard.summary).toHaveBeenCalledTimes(3)
    expect(socket().sent).toHaveLength(1)
  })
})

describe('a connection that is closing', () => {
  it('is sent nothing more', () => {
    connect()
    const { watching } = watched()
    socket().readyState = WebSocket.CLOSING
    watching.close()
    expect(socket().sent).toHaveLength(1)
  })
})

describe('a watch of events', () => {
  it('hears where it begins, what there is, and what is added', () => {
    connect()
    const heard = { began: vi.fn(), journal: vi.fn(), output: vi.fn() }
    live.watch({ topic: 'journal', service: 'web.service' }, heard)
    socket().say({ type: 'watching', id: socket().asked, view: 7 })
    expect(heard.began).toHaveBeenCalledTimes(1)
    socket().say({ type: 'journal', view: 7, lines: [] })
    socket().say({ type: 'journal', view: 7, lines: [] })
    socket().say({ type: 'journal', view: 8, lines: [] })
    socket().say({ type: 'output', view: 7, lines: [] })
    expect(heard.journal).toHaveBeenCalledTimes(2)
    expect(heard.output).toHaveBeenCalledTimes(1)
  })

  it('begins anew after the connection was lost, so that nothing is there twice', async () => {
    connect()
    const heard = { began: vi.fn(), output: vi.fn() }
    live.watch({ topic: 'output', operation: '3' }, heard)
    socket().say({ type: 'watching', id: socket().asked, view: 7 })
    socket().onclose?.({ code: 4008 })
    await vi.advanceTimersByTimeAsync(1_000)
    socket().hello()
    socket().say({ type: 'watching', id: socket().asked, view: 7 })
    expect(heard.began).toHaveBeenCalledTimes(2)
  })
})

describe('a hidden page', () => {
  it('stops its watches, and asks for them again when it is shown', () => {
    connect()
    watched()
    hide(true)
    expect(socket().sent.at(-1)).toEqual({ unwatch: { id: 'w1' } })
    hide(false)
    expect(socket().sent.at(-1)).toEqual({ watch: { id: 'w2', topic: 'processes' } })
  })

  it('does not ask for anything when it connects or changes', () => {
    hide(true)
    connect()
    const watching = live.watch({ topic: 'processes' }, watcher())
    watching.change({ topic: 'sockets' })
    expect(socket().sent).toEqual([])
    hide(false)
    expect(socket().sent).toEqual([{ watch: { id: 'w1', topic: 'sockets' } }])
  })
})
