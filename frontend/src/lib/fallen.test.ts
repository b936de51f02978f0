import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Fallen } from './fallen'
import type { Service } from './wire.gen'

const service = (name: string, activeState: string) => ({ name, activeState }) as Service

let told: string[][]
let acted: Set<string>
let fallen: Fallen<Service>

/** A service goes from one state to another. */
const goes = (name: string, from: string, to: string) =>
  fallen.saw(service(name, to), service(name, from))

beforeEach(() => {
  vi.useFakeTimers()
  told = []
  acted = new Set()
  fallen = new Fallen(
    (name) => acted.has(name),
    (services) => told.push(services.map(({ name }) => name)),
  )
})
afterEach(() => void vi.useRealTimers())

it('those that fail at once are told together, once', () => {
  goes('a', 'active', 'failed')
  vi.advanceTimersByTime(1_000)
  goes('b', 'activating', 'failed')
  goes('b', 'failed', 'failed')
  fallen.saw(service('c', 'failed'), undefined)
  goes('d', 'active', 'inactive')
  vi.advanceTimersByTime(1_000)
  expect(told).toEqual([['a', 'b', 'c']])
  vi.advanceTimersByTime(60_000)
  expect(told).toHaveLength(1)
})

it('those that fail one after the other are told now and then', () => {
  for (let second = 0; second < 60; second++) {
    goes(`unit-${second}`, 'active', 'failed')
    vi.advanceTimersByTime(1_000)
  }
  vi.advanceTimersByTime(60_000)
  expect(told.map(({ length }) => length)).toEqual([2, 30, 28])
})

it('one that is up again before it is told is not told', () => {
  goes('a', 'active', 'failed')
  goes('a', 'failed', 'active')
  vi.advanceTimersByTime(60_000)
  expect(told).toEqual([])
})

it.each(['before it failed', 'and the record of that came later'])(
  'one that somebody acted on, %s, is not told',
  (when) => {
    if (when.startsWith('before')) acted.add('a')
    goes('a', 'active', 'failed')
    acted.add('a')
    goes('b', 'active', 'failed')
    vi.advanceTimersByTime(60_000)
    expect(told).toEqual([['b']])
  },
)

it('nothing is told of a page that was left', () => {
  goes('a', 'active', 'failed')
  fallen.close()
  vi.advanceTimersByTime(60_000)
  expect(told).toEqual([])
})
