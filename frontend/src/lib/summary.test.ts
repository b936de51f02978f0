import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Api } from './api'
import type { Live, Watcher } from './live.svelte'
import { SummaryStore } from './summary.svelte'
import type { Point, SummaryMessage } from './wire.gen'

const start = Date.parse('2026-03-14T09:00:00Z')
const time = (second: number) => new Date(start + second * 1000).toISOString()

const zero = {
  cpu: { us: 0, sy: 0, ni: 0, id: 100, wa: 0, hi: 0, si: 0, st: 0 },
  memory: { total: 1, free: 1, used: 0, buffCache: 0, available: 1 },
  swap: { total: 0, free: 0, used: 0 },
  load: [0, 0, 0] as [number, number, number],
  pressure: null,
}

const point = (second: number): Point => ({
  ...zero,
  time: time(second),
  readBytesPerSecond: 0,
  writeBytesPerSecond: 0,
  receiveBytesPerSecond: 0,
  transmitBytesPerSecond: 0,
})

function message(second: number): SummaryMessage {
  const card = (name: string, n: number) => ({
    name,
    receiveBytesPerSecond: n,
    transmitBytesPerSecond: 2 * n,
    receivePacketsPerSecond: 0,
    transmitPacketsPerSecond: 0,
    errorsPerSecond: 0,
  })
  return {
    ...zero,
    type: 'summary',
    view: 1,
    seq: second,
    time: time(second),
    tasks: null,
    cores: [],
    uptime: 1,
    disks: [],
    interfaces: [card('lo', 1000), card('eth0', 5), card('eth1', 7)],
    fileSystems: [],
    failedServices: { total: 0, names: [] },
    errors: {},
  }
}

let watcher: Watcher
let history: Point[]
const close = vi.fn()
const watch = vi.fn((_: object, heard: Watcher) => {
  watcher = heard
  return { close }
})
const call = vi.fn(() => Promise.resolve({ interval: 1, points: history }))
let store: SummaryStore

const seconds = () => store.points.map(({ at }) => (at - start) / 1000)

beforeEach(() => {
  vi.clearAllMocks()
  history = []
  store = new SummaryStore({ watch } as unknown as Live, { call } as unknown as Api)
})

describe('the summary', () => {
  it('is watched while somebody shows it, once for all', () => {
    const [one, two] = [store.use(), store.use()]
    expect(watch).toHaveBeenCalledOnce()
    one()
    expect(close).not.toHaveBeenCalled()
    two()
    expect(close).toHaveBeenCalledOnce()
    store.use()
    expect(watch).toHaveBeenCalledTimes(2)
  })

  it('begins with the server’s history, and goes on with what is pushed', async () => {
    history = [point(7), point(8), point(9)]
    store.use()
    watcher.summary?.(message(10))
    await vi.waitFor(() => expect(seconds()).toEqual([7, 8, 9, 10]))
    watcher.summary?.(message(11))
    watcher.summary?.(message(12))
    expect(seconds()).toEqual([7, 8, 9, 10, 11, 12])
    expect(call).toHaveBeenCalledOnce()
    expect(store.now?.time).toBe(time(12))
  })

  it('asks for what it missed', async () => {
    store.use()
    watcher.summary?.(message(10))
    await vi.waitFor(() => expect(store.points).toHaveLength(1))
    history = [9, 10, 11, 12, 13, 14].map(point)
    watcher.summary?.(message(14))
    await vi.waitFor(() => expect(seconds()).toEqual([9, 10, 11, 12, 13, 14]))
  })

  it('keeps fifteen minutes', async () => {
    history = Array.from({ length: 899 }, (_, i) => point(i))
    store.use()
    watcher.summary?.(message(899))
    await vi.waitFor(() => expect(store.points).toHaveLength(900))
    for (let i = 900; i < 950; i++) watcher.summary?.(message(i))
    expect(seconds()[0]).toBe(49)
    expect(store.points).toHaveLength(901)
  })

  it('has the trend of the cores from the history, and goes on with it', async () => {
    history = [{ ...point(8), cores: [50, 0] }, point(9)]
    store.use()
    watcher.summary?.({ ...message(10), cores: [1, 2] })
    await vi.waitFor(() => expect(store.cores).toEqual([{ at: start + 8000, busy: [50, 0] }]))
    for (let i = 11; i <= 18; i++) watcher.summary?.({ ...message(i), cores: [10, 20] })
    expect(store.cores).toHaveLength(2)
    expect(store.cores[1]).toEqual({ at: start + 18_000, busy: [10, 20] })
    store.forget()
    expect(store.cores).toEqual([])
  })

  it('adds up the interfaces but loopback', () => {
    store.use()
    watcher.summary?.(message(1))
    expect(store.points[0]).toMatchObject({ receiveBytesPerSecond: 12, transmitBytesPerSecond: 24 })
  })

  it('does without the history when it cannot be had, and forgets', async () => {
    const { ApiError } = await import('./api')
    call.mockRejectedValueOnce(new ApiError('unreachable'))
    store.use()
    watcher.summary?.(message(1))
    await vi.waitFor(() => expect(call).toHaveBeenCalled())
    expect(seconds()).toEqual([1])
    store.forget()
    expect(store).toMatchObject({ now: null, points: [] })
  })
})
