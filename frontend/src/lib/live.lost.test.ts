import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  connect,
  end,
  events,
  hide,
  live,
  play,
  probed,
  probedLater,
  socket,
  sockets,
  watched,
  watcher,
} from './live.played'

beforeEach(play)
afterEach(end)

describe('a lost connection', () => {
  /** The pauses in seconds before so many tries, of which each fails. */
  async function pauses(tries: number): Promise<number[]> {
    probed('unreachable')
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
    probed('unreachable')
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
    const tell = probedLater()
    live.start()
    socket().onclose?.({ code: 1006 })
    await vi.advanceTimersByTimeAsync(2_000)
    expect(live.state).toBe('opening')
    tell('unreachable')
    await vi.advanceTimersByTimeAsync(0)
    expect(live).toMatchObject({ state: 'opening', lost: 'unreachable' })
  })

  it('is tried anew when HTTP answers while a try hangs', async () => {
    const tell = probedLater()
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
    const tell = probedLater()
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
    probed('unreachable')
    await vi.advanceTimersByTimeAsync(live.retryAt - Date.now())
    socket().onclose?.({ code: 1006 })
    await vi.advanceTimersByTimeAsync(0)
    expect(live).toMatchObject({ state: 'waiting', lost: 'stopped' })
    probed('answers')
    await vi.advanceTimersByTimeAsync(live.retryAt - Date.now())
    for (let tries = 0; tries < 2; tries++) {
      socket().onclose?.({ code: 1006 })
      await vi.advanceTimersByTimeAsync(0)
    }
    expect(live.lost).toBe('blocked')
  })

  it('that never opens nor closes is given up, and the next try may take longer', async () => {
    probed('unreachable')
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
    probed('signed out')
    live.start()
    socket().onclose?.({ code: 1006 })
    await vi.advanceTimersByTimeAsync(0)
    expect(events.ended).toHaveBeenCalledOnce()
    expect(live.state).toBe('off')
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
