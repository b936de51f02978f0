import { flushSync } from 'svelte'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { ApiError } from './api'
import type { CallOptions } from './api'
import { live, operations } from './app.svelte'
import { AskedList } from './asked.svelte'
import type { Operation } from './wire.gen'

interface Row {
  name: string
  role: string
}

let list: AskedList<Row>
let end: () => void
/** What the server has, or why it does not tell. */
let there: Row[] | ApiError
const ask = vi.fn((_: CallOptions) =>
  there instanceof ApiError ? Promise.reject(there) : Promise.resolve(there),
)

const row = (name: string, role = 'viewer') => ({ name, role })
const names = () => list.rows.map(({ name }) => name)

async function settle() {
  flushSync()
  await vi.advanceTimersByTimeAsync(1_000)
}

async function hear(...logTypes: string[]) {
  for (const logType of logTypes)
    operations.arrived({ id: '1', logType, retStatus: 'succeeded' } as Operation, 0)
  await settle()
}

async function hide(hidden: boolean) {
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(hidden)
  document.dispatchEvent(new Event('visibilitychange'))
  await settle()
}

beforeEach(async () => {
  vi.useFakeTimers()
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(false)
  ask.mockClear()
  live.state = 'live'
  there = [row('ada'), row('grace')]
  end = $effect.root(() => {
    list = new AskedList({ ask, key: ({ name }) => name, changes: /^user\./ })
  })
  await settle()
})
afterEach(() => {
  end()
  vi.useRealTimers()
})

it('is asked for once when it opens', () => {
  expect(names()).toEqual(['ada', 'grace'])
  expect(ask).toHaveBeenCalledTimes(1)
})

it('follows the records that tell of it, those that come together at once', async () => {
  there = [row('ada'), row('grace', 'admin'), row('mary')]
  await hear('user.add', 'user.role', 'service.start')
  expect(list.rows).toEqual(there)
  expect(ask).toHaveBeenCalledTimes(2)
  await hear('service.start', 'session.denied')
  expect(ask).toHaveBeenCalledTimes(2)
})

it('follows for as long as it is looked at', async () => {
  end()
  await hear('user.add')
  expect(ask).toHaveBeenCalledTimes(1)
})

it('asks nothing while the page is hidden, and when it is shown for what was missed', async () => {
  await hide(true)
  there = [row('ada')]
  await hear('user.remove')
  expect(ask).toHaveBeenCalledTimes(1)
  await hide(false)
  expect(names()).toEqual(['ada'])
})

it('asks for what was missed when the connection is back, and keeps what it has until then', async () => {
  live.state = 'waiting'
  there = new ApiError('unreachable')
  await settle()
  expect(names()).toEqual(['ada', 'grace'])
  expect(list.failure).toBeNull()
  there = [row('ada')]
  live.state = 'live'
  await settle()
  expect(names()).toEqual(['ada'])
})

it('moves no row while somebody aims: values live, new ones wait, those that went stay as such', async () => {
  list.hold(true)
  there = [row('ben'), row('grace', 'admin')]
  await hear('user.add')
  expect(list.rows).toEqual([row('ada'), row('grace', 'admin')])
  expect(list.rows.map((one) => list.gone(one))).toEqual([true, false])
  list.hold(false)
  expect(names()).toEqual(['ben', 'grace'])
})

it('asks nobody for the password by itself, but says that it may have changed', async () => {
  there = new ApiError('reauthenticate')
  await hear('user.add')
  expect(ask.mock.lastCall).toEqual([{ unasked: true }])
  expect(names()).toEqual(['ada', 'grace'])
  expect(list.outdated).toBe(true)
  expect(list.failure).toBeNull()
  there = [row('ada')]
  await list.again()
  expect(ask.mock.lastCall).toEqual([{ unasked: false }])
  expect(names()).toEqual(['ada'])
  expect(list.outdated).toBe(false)
})

it('asks again for whoever does while an answer is on its way', async () => {
  let answer: (rows: Row[]) => void = () => {}
  ask.mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)))
  await hear('user.add')
  there = [row('new')]
  const asked = list.again()
  answer([row('old')])
  await asked
  expect(names()).toEqual(['new'])
})

it('says why it could not be had at all', async () => {
  end()
  there = new ApiError('unavailable')
  end = $effect.root(() => {
    list = new AskedList({ ask, key: ({ name }) => name, changes: /^user\./ })
  })
  await settle()
  expect(list.failure?.code).toBe('unavailable')
})

it('is asked for again when a row should have gone by itself, while it is looked at', async () => {
  end()
  const ends = Date.now() + 600_000
  end = $effect.root(() => {
    list = new AskedList({
      ask,
      key: ({ name }) => name,
      changes: /^user\./,
      ends: ({ name }) => (name === 'grace' ? ends : Infinity),
    })
  })
  await settle()
  ask.mockClear()
  await vi.advanceTimersByTimeAsync(598_000)
  expect(ask).not.toHaveBeenCalled()
  // By the server's clock it is not time yet.
  there = [row('ada'), row('grace')]
  await vi.advanceTimersByTimeAsync(2_000)
  expect(ask).toHaveBeenCalledTimes(1)
  there = [row('ada')]
  await settle()
  expect(ask).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(names()).toEqual(['ada'])
  await vi.advanceTimersByTimeAsync(600_000)
  expect(ask).toHaveBeenCalledTimes(2)
})
