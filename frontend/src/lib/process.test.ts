import { beforeEach, expect, it } from 'vitest'
import type { Figure } from './list.svelte'
import type { Live, Watcher } from './live.svelte'
import { ProcessWatch } from './process.svelte'
import type { Process } from './wire.gen'

let watcher: Watcher<Process>
const live = {
  watch: (_: unknown, heard: Watcher<Process>) => {
    watcher = heard
    return { close: () => {} }
  },
} as unknown as Live

const second = (n: number) => Date.parse('2026-03-14T09:26:00Z') + n * 1000
let pid = 100
let key: string
beforeEach(() => void (key = `${++pid}:1`))

const watch = (past: readonly Figure[]) => new ProcessWatch(live, key, past)

function reading(n: number, cpuPercent: number) {
  watcher.snapshot?.({
    type: 'snapshot',
    view: 1,
    seq: 1,
    time: new Date(second(n)).toISOString(),
    total: 1,
    matched: 1,
    rows: [{ pid, startTime: 1, cpuPercent, rss: 7 } as Process],
    errors: {},
  })
}

it('begins with what the list knows of the load, and goes on from there', () => {
  const followed = watch([
    { at: second(1), value: 10 },
    { at: second(2), value: 20 },
  ])
  expect(followed.usage).toHaveLength(2)
  // The first that it sees may be the last that the list saw.
  reading(2, 20)
  reading(3, 30)
  expect(followed.usage).toEqual([
    { at: second(1), cpuPercent: 10, rss: null },
    { at: second(2), cpuPercent: 20, rss: 7 },
    { at: second(3), cpuPercent: 30, rss: 7 },
  ])
})

it('opened again, it has what was seen then and what the list has seen since', () => {
  watch([])
  reading(1, 10)
  const again = watch([1, 2, 3].map((n) => ({ at: second(n), value: n })))
  expect(again.usage).toEqual([
    { at: second(1), cpuPercent: 10, rss: 7 },
    { at: second(2), cpuPercent: 2, rss: null },
    { at: second(3), cpuPercent: 3, rss: null },
  ])
})

it('goes fifteen minutes back', () => {
  const followed = watch([{ at: second(0), value: 1 }])
  reading(900, 2)
  expect(followed.usage).toHaveLength(2)
  reading(901, 3)
  expect(followed.usage.map(({ cpuPercent }) => cpuPercent)).toEqual([2, 3])
})
