import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Live } from './live.svelte'
import type { LiveEvents, Probe, Watcher } from './live.svelte'
import type { ClientMessage } from './wire.gen'

/** The server's end of a WebSocket. */
class FakeSocket {
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: ((event: { code: number; reason?: string }) => void) | null = null
  sent: ClientMessage[] = []
  readyState: number = WebSocket.OPEN
  closed = false

  send(text: string) {
    this.sent.push(JSON.parse(text) as ClientMessage)
  }

  close() {
    this.closed = true
  }

  say(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) })
  }

  hello(build = 'b1') {
    this.say({ type: 'hello', build, username: 'ada', role: 'admin', unseen: 0 })
  }

  /** The id of the newest watch. */
  get asked(): string {
    return this.sent.findLast(({ watch }) => watch)?.watch?.id ?? ''
  }
}

let sockets: FakeSocket[]
let probe: Probe
let asked: () => Promise<Probe>
let hidden: boolean
let live: Live
let events: LiveEvents

const socket = () => sockets.at(-1) as FakeSocket

function watcher() {
  return { snapshot: vi.fn(), delta: vi.fn(), summary: vi.fn(), refused: vi.fn() } satisfies Watcher
}

/** A watch that the server answered with a view and a snapshot. */
function watched(view = 7, seq = 10) {
  const heard = watcher()
  const watching = live.watch({ topic: 'processes' }, heard)
  answer(view, seq)
  return { heard, watching }
}

function answer(view: number, seq: number) {
  socket().say({ type: 'watching', id: socket().asked, view })
  socket().say({ type: 'snapshot', view, seq, rows: [] })
}

beforeEach(() => {
  vi.useFakeTimers()
  sockets = []
  probe = 'answers'
  asked = () => Promise.resolve(probe)
  hidden = false
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden)
  events = { hello: vi.fn(), operation: vi.fn(), unseen: vi.fn(), ended: vi.fn() }
  live = new Live(
    {
      open: () => {
        sockets.push(new FakeSocket())
        return socket() as unknown as WebSocket
      },
      probe: () => asked(),
      random: () => 1,
    },
    events,
  )
})
afterEach(() => {
  live.stop()
  vi.useRealTimers()
})

function connect() {
  live.start()
  socket().hello()
}

function hide(value: boolean) {
  hidden = value
  document.dispatchEvent(new Event('visibilitychange'))
}

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

describe('a lost connection', () => {
  /** The pauses in seconds before so many tries, of which each fails. */
  async function pauses(tries: number): Promise<number[]> {
    probe = 'unreachable'
    const all: number[] = []
    for (let i = 0; i < tries; i++) {
      all.push(Math.round((live.retryAt - Date.now()) / 100) / 10)
      await vi.advanceTimersByTimeAsync(live.retryAt - Date.now())
      socket().onclose?.({ code: 1006 })
    }
    return all
  }

  it('comes back by itself, and its watches with it', async () => {
    connect()
    watched()
    socket().onclose?.({ code: 1006 })
    expect(live).toMatchObject({ state: 'waiting', lost: 'broken', retryAt: Date.now() + 500 })
    expect(live.lostAt).toBe(Date.now())
    await vi.advanceTimersByTimeAsync(500)
    expect(sockets).toHaveLength(2)
    socket().hello()
    expect(socket().sent).toEqual([{ watch: { id: 'w2', topic: 'processes' } }])
    expect(live).toMatchObject({ state: 'live', lost: null, lostAt: 0 })
  })

  it('is tried again after ever longer pauses', async () => {
    connect()
    socket().onclose?.({ code: 1006 })
    expect(await pauses(8)).toEqual([0.5, 0.8, 1.1, 1.7, 2.5, 3.8, 5, 5])
  })

  it('is tried less often where nobody looks', async () => {
    connect()
    hide(true)
    socket().onclose?.({ code: 1006 })
    expect((await pauses(12)).slice(5)).toEqual([3.8, 5.7, 8.5, 12.8, 19.2, 20, 20])
  })

  it('keeps its age over attempts that fail', async () => {
    connect()
    socket().onclose?.({ code: 1006 })
    const since = live.lostAt
    await vi.advanceTimersByTimeAsync(500)
    socket().onclose?.({ code: 1006 })
    expect(live.lostAt).toBe(since)
  })

  it.each(['online', 'focus'])('is tried again at once on %s', (event) => {
    connect()
    socket().onclose?.({ code: 1006 })
    dispatchEvent(new Event(event))
    expect(sockets).toHaveLength(2)
  })

  it('is tried again at once when the page is shown', () => {
    connect()
    hide(true)
    socket().onclose?.({ code: 1006 })
    hide(false)
    expect(sockets).toHaveLength(2)
  })

  it.each([
    [1001, 'stopped'],
    [4008, 'slow'],
    [1006, 'broken'],
  ])('by close code %d is %s', (code, reason) => {
    connect()
    socket().onclose?.({ code })
    expect(live.lost).toBe(reason)
  })

  it('is tried again at once when the page is shown, though a try is on its way that hangs', async () => {
    connect()
    hide(true)
    socket().onclose?.({ code: 1006 })
    await vi.advanceTimersByTimeAsync(2_500)
    expect(sockets).toHaveLength(2)
    hide(false)
    expect(sockets[1]?.closed).toBe(true)
    expect(sockets).toHaveLength(3)
  })

  it('is not tried twice for what tells twice that the network is back', async () => {
    connect()
    dispatchEvent(new Event('offline'))
    await vi.advanceTimersByTimeAsync(100)
    dispatchEvent(new Event('online'))
    dispatchEvent(new Event('focus'))
    expect(sockets).toHaveLength(2)
  })

  it.each(['keydown', 'pointermove', 'pointerdown', 'wheel'])(
    'is tried again on %s, though not on each',
    async (use) => {
      connect()
      socket().onclose?.({ code: 1006 })
      await pauses(7)
      dispatchEvent(new Event(use))
      expect(live.state).toBe('waiting')
      await vi.advanceTimersByTimeAsync(1_600)
      const before = sockets.length
      for (let i = 0; i < 3; i++) dispatchEvent(new Event(use))
      expect(sockets).toHaveLength(before + 1)
      socket().onclose?.({ code: 1006 })
      dispatchEvent(new Event(use))
      expect(sockets).toHaveLength(before + 1)
    },
  )

  it('that never opened while nothing answers is unreachable', async () => {
    probe = 'unreachable'
    live.start()
    socket().onclose?.({ code: 1006 })
    await vi.advanceTimersByTimeAsync(0)
    expect(live).toMatchObject({ state: 'waiting', lost: 'unreachable' })
  })

  it('is tried once more when HTTP answers, and blocked only if it does not open then', async () => {
    live.start()
    socket().onclose?.({ code: 1006 })
    await vi.advanceTimersByTimeAsync(0)
    expect(live).toMatchObject({ state: 'opening', lost: 'broken' })
    expect(sockets).toHaveLength(2)
    socket().onclose?.({ code: 1006 })
    await vi.advanceTimersByTimeAsync(0)
    expect(live).toMatchObject({ state: 'waiting', lost: 'blocked' })
    // From then on it is tried in its pauses.
    await vi.advanceTimersByTimeAsync(live.retryAt - Date.now())
    socket().onclose?.({ code: 1006 })
    await vi.advanceTimersByTimeAsync(0)
    expect(live).toMatchObject({ state: 'waiting', lost: 'blocked' })
    expect(sockets).toHaveLength(3)
  })

  it('is unreachable, though the next try has begun before that is known', async () => {
    let tell = (_: Probe) => {}
    asked = () => new Promise((resolve) => (tell = resolve))
    live.start()
    socket().onclose?.({ code: 1006 })
    await vi.advanceTimersByTimeAsync(2_000)
    expect(live.state).toBe('opening')
    tell('unreachable')
    await vi.advanceTimersByTimeAsync(0)
    expect(live).toMatchObject({ state: 'opening', lost: 'unreachable' })
  })

  it('is tried anew when HTTP answers while a try hangs', async () => {
    let tell = (_: Probe) => {}
    asked = () => new Promise((resolve) => (tell = resolve))
    live.start()
    socket().onclose?.({ code: 1006 })
    await vi.advanceTimersByTimeAsync(3_000)
    expect(sockets).toHaveLength(2)
    tell('answers')
    await vi.advanceTimersByTimeAsync(0)
    expect(sockets[1]?.closed).toBe(true)
    expect(sockets).toHaveLength(3)
    expect(live.lost).toBe('broken')
  })

  it('is not ended by what was asked before somebody else signed in', async () => {
    let tell = (_: Probe) => {}
    asked = () => new Promise((resolve) => (tell = resolve))
    live.start()
    socket().onclose?.({ code: 1006 })
    live.stop()
    live.start()
    tell('signed out')
    await vi.advanceTimersByTimeAsync(0)
    expect(live.state).toBe('opening')
    expect(events.ended).not.toHaveBeenCalled()
  })

  it('by a server that said so is stopped for as long as nothing answers', async () => {
    connect()
    socket().onclose?.({ code: 1001 })
    probe = 'unreachable'
    await vi.advanceTimersByTimeAsync(live.retryAt - Date.now())
    socket().onclose?.({ code: 1006 })
    await vi.advanceTimersByTimeAsync(0)
    expect(live).toMatchObject({ state: 'waiting', lost: 'stopped' })
    probe = 'answers'
    await vi.advanceTimersByTimeAsync(live.retryAt - Date.now())
    for (let tries = 0; tries < 2; tries++) {
      socket().onclose?.({ code: 1006 })
      await vi.advanceTimersByTimeAsync(0)
    }
    expect(live.lost).toBe('blocked')
  })

  it('that never opens nor closes is given up, and the next try may take longer', async () => {
    probe = 'unreachable'
    live.start()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(sockets[0]?.closed).toBe(true)
    expect(live.retryAt - Date.now()).toBe(500)
    await vi.advanceTimersByTimeAsync(500 + 7_999)
    expect(sockets).toHaveLength(2)
    expect(sockets[1]?.closed).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(sockets[1]?.closed).toBe(true)
  })

  it('does not start over with short pauses when it is cut off again at once', async () => {
    connect()
    for (let i = 0; i < 6; i++) {
      socket().onclose?.({ code: 4008 })
      await vi.advanceTimersByTimeAsync(live.retryAt - Date.now())
      socket().hello()
    }
    socket().onclose?.({ code: 4008 })
    expect(live.retryAt - Date.now()).toBe(5000)
    await vi.advanceTimersByTimeAsync(5000)
    socket().hello()
    await vi.advanceTimersByTimeAsync(2000)
    socket().onclose?.({ code: 4008 })
    expect(live.retryAt - Date.now()).toBe(500)
  })
})

describe('a session that ended', () => {
  it('ends the connection for good', async () => {
    connect()
    socket().onclose?.({ code: 4001, reason: 'your role was changed' })
    expect(events.ended).toHaveBeenCalledExactlyOnceWith('your role was changed')
    expect(live.state).toBe('off')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(sockets).toHaveLength(1)
  })

  it('is found out when the connection is refused', async () => {
    probe = 'signed out'
    live.start()
    socket().onclose?.({ code: 1006 })
    await vi.advanceTimersByTimeAsync(0)
    expect(events.ended).toHaveBeenCalledOnce()
    expect(live.state).toBe('off')
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
    hidden = true
    connect()
    const watching = live.watch({ topic: 'processes' }, watcher())
    watching.change({ topic: 'sockets' })
    expect(socket().sent).toEqual([])
    hide(false)
    expect(socket().sent).toEqual([{ watch: { id: 'w1', topic: 'sockets' } }])
  })
})

describe('a connection that went silent', () => {
  const asks = () => socket().sent.filter(({ unwatch }) => unwatch?.id === 'nothing').length

  /** A connection with a watch of the summary, of which so many readings come, that many milliseconds apart. */
  async function beating(readings: number, every: number) {
    connect()
    live.watch({ topic: 'summary' }, watcher())
    socket().say({ type: 'watching', id: socket().asked, view: 3 })
    for (let seq = 1; seq <= readings; seq++) {
      await vi.advanceTimersByTimeAsync(every)
      socket().say({ type: 'summary', view: 3, seq })
    }
  }

  it('is asked for an answer, and kept when it gives one', async () => {
    connect()
    await vi.advanceTimersByTimeAsync(12_000)
    expect(asks()).toBe(1)
    socket().say({ type: 'error', id: 'nothing', error: { code: 'not_found', message: '' } })
    await vi.advanceTimersByTimeAsync(8_000)
    expect(live.state).toBe('live')
  })

  it('is given up when it does not', async () => {
    connect()
    await vi.advanceTimersByTimeAsync(16_000)
    expect(sockets[0]?.closed).toBe(true)
    expect(sockets.length).toBeGreaterThan(1)
  })

  it('is given up within seconds where readings came each second, with their age', async () => {
    await beating(5, 1_000)
    const last = Date.now()
    await vi.advanceTimersByTimeAsync(9_000)
    expect(sockets[0]?.closed).toBe(true)
    expect(live.lostAt).toBe(last)
  })

  it('is not doubted before several readings are missed, however seldom they come', async () => {
    await beating(3, 9_000)
    const before = asks()
    await vi.advanceTimersByTimeAsync(24_000)
    expect(asks()).toBe(before)
    expect(sockets).toHaveLength(1)
  })

  it('is not given up while a busy server still answers', async () => {
    await beating(5, 1_000)
    let answered = 0
    for (let i = 0; i < 30; i++) {
      await vi.advanceTimersByTimeAsync(1_000)
      for (; answered < asks(); answered++)
        socket().say({ type: 'error', id: 'nothing', error: { code: 'not_found', message: '' } })
    }
    expect(answered).toBeGreaterThan(1)
    expect(live).toMatchObject({ state: 'live', lostAt: 0 })
  })

  it('is asked before it is given up by a page that slept', async () => {
    await beating(5, 1_000)
    await vi.advanceTimersByTimeAsync(6_000)
    expect(asks()).toBe(1)
    vi.setSystemTime(Date.now() + 3_600_000)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(asks()).toBe(2)
    expect(live).toMatchObject({ state: 'live', lostAt: 0 })
  })

  it('is given up at once when the network is gone', () => {
    connect()
    dispatchEvent(new Event('offline'))
    expect(live.state).toBe('waiting')
    expect(live.lostAt).toBe(Date.now())
  })

  it('must answer when there is another network', async () => {
    await beating(3, 9_000)
    dispatchEvent(new Event('online'))
    expect(asks()).toBe(1)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(sockets[0]?.closed).toBe(true)
  })

  it('must answer when a request could not reach the server', async () => {
    connect()
    live.doubt()
    expect(asks()).toBe(1)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(live.lostAt).toBeGreaterThan(0)
  })
})
