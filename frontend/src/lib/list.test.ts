import { flushSync } from 'svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LiveList } from './list.svelte'
import type { Query, RowKind } from './list.svelte'
import type { Live, Subject, Watcher } from './live.svelte'
import type { DeltaMessage } from './wire.gen'

interface Row {
  id: string
  name: string
  load: number | null
}

const kind: RowKind<Row> = {
  topic: 'processes',
  key: (row) => row.id,
  value: (row, column) => row[column as keyof Row],
}

let subjects: Subject[]
let watcher: Watcher<Row>
const close = vi.fn()

const live = {
  watch: (subject: Subject, heard: Watcher<Row>) => {
    subjects.push(subject)
    watcher = heard
    return { change: (next: Subject) => subjects.push(next), close }
  },
} as unknown as Live

const byName: Query = { q: '', sort: 'name', order: 'asc' }

function rows(...list: [string, string, number | null][]): Row[] {
  return list.map(([id, name, load]) => ({ id, name, load }))
}

function snapshot(list: Row[], matched = list.length) {
  watcher.snapshot?.({
    type: 'snapshot',
    view: 1,
    seq: 1,
    time: '2026-03-14T09:26:53Z',
    total: 99,
    matched,
    rows: list,
    errors: {},
  })
  flushSync()
}

type Ended = DeltaMessage<Row>['ended']

const at = (second: number) => `2026-03-14T09:26:${second}Z`

function delta(upsert: Row[], remove: string[] = [], ended: Ended = [], second = 54) {
  watcher.delta?.({
    type: 'delta',
    view: 1,
    seq: 2,
    time: at(second),
    total: 98,
    matched: 3,
    upsert,
    remove,
    ended,
    errors: { owners: 'root is needed' },
  })
  flushSync()
}

const ids = (list: LiveList<Row>) => list.rows.map(({ id }) => id)

beforeEach(() => {
  subjects = []
  close.mockClear()
})

describe('a live list', () => {
  it('loads until the first snapshot', () => {
    const list = new LiveList(live, kind, byName)
    expect(list.loading).toBe(true)
    snapshot([])
    expect(list.loading).toBe(false)
    expect(list).toMatchObject({ total: 99, matched: 0 })
  })

  it('applies what was removed, then what changed or came', () => {
    const list = new LiveList(live, kind, byName)
    snapshot(rows(['1', 'a', 1], ['2', 'b', 2], ['3', 'c', 3]))
    delta(rows(['2', 'z', 2], ['1', 'a', 7], ['4', 'd', 4]), ['3', '1'])
    expect(list.rows.map(({ id, load }) => [id, load])).toEqual([
      ['1', 7],
      ['4', 4],
      ['2', 2],
    ])
    expect(list).toMatchObject({
      total: 98,
      matched: 3,
      time: '2026-03-14T09:26:54Z',
      errors: { owners: 'root is needed' },
    })
  })

  it('forgets the old rows with a new snapshot', () => {
    const list = new LiveList(live, kind, byName)
    snapshot(rows(['1', 'a', 1]))
    snapshot(rows(['2', 'b', 2]))
    expect(ids(list)).toEqual(['2'])
  })

  it('shows changed values where the row stands', () => {
    const list = new LiveList(live, kind, byName)
    snapshot(rows(['1', 'a', 1]))
    delta(rows(['1', 'a', 5]))
    expect(list.rows[0]?.load).toBe(5)
  })
})

describe('the order of a list', () => {
  it.each([
    ['name', 'asc', ['3', '1', '20', '2']],
    ['name', 'desc', ['2', '1', '20', '3']],
    ['load', 'desc', ['1', '20', '2', '3']],
    ['load', 'asc', ['2', '1', '20', '3']],
    ['nothing', 'desc', ['1', '2', '3', '20']],
  ] as const)('by %s, %s: the equal by key, the unknown last', (sort, order, expected) => {
    const list = new LiveList(live, kind, { q: '', sort, order })
    snapshot(rows(['20', 'b', 9], ['1', 'b', 9], ['2', 'c', 1], ['3', 'a', null]))
    expect(ids(list)).toEqual(expected)
  })

  it('changes at once, without asking the server', () => {
    const list = new LiveList(live, kind, byName)
    snapshot(rows(['1', 'a', 1], ['2', 'b', 2]))
    list.query({ q: '', sort: 'load', order: 'desc' })
    expect(ids(list)).toEqual(['2', '1'])
    expect(subjects).toEqual([{ topic: 'processes' }])
  })

  it('is asked of the server where that holds rows back', () => {
    const list = new LiveList(live, kind, byName)
    snapshot(rows(['1', 'a', 1], ['2', 'b', 2]), 30_000)
    list.query({ q: '', sort: 'load', order: 'desc' })
    expect(subjects.at(-1)).toEqual({ topic: 'processes', sort: 'load', order: 'desc' })
  })
})

const shown = (list: LiveList<Row>) =>
  list.entries.map(({ key, row, end }) => `${end ? '-' : ''}${key}${row.load ?? ''}`)

describe('a list that is held', () => {
  it('keeps its order and its rows, while their values change', () => {
    const list = new LiveList(live, kind, { q: '', sort: 'load', order: 'desc' })
    snapshot(rows(['1', 'a', 30], ['2', 'b', 20], ['3', 'c', 10]))
    list.hold(true)
    delta(rows(['3', 'c', 99], ['4', 'd', 50]), ['2'])
    expect(shown(list)).toEqual(['130', '-220', '399'])
    expect(list.waiting).toBe(1)
    delta(rows(['1', 'a', 1]), ['4'])
    expect(shown(list)).toEqual(['11', '-220', '399'])
    expect(list.waiting).toBe(0)
    list.hold(false)
    expect(shown(list)).toEqual(['399', '11'])
  })

  it('is sorted when that is asked for, with the rows that it has', () => {
    const list = new LiveList(live, kind, { q: '', sort: 'load', order: 'desc' })
    snapshot(rows(['1', 'a', 30], ['2', 'b', 20]))
    list.hold(true)
    delta(rows(['3', 'c', 99]))
    list.query({ q: '', sort: 'load', order: 'asc' })
    expect(shown(list)).toEqual(['220', '130'])
  })

  it('holds what another search finds', () => {
    const list = new LiveList(live, kind, byName)
    snapshot(rows(['1', 'a', 1]))
    list.hold(true)
    list.query({ ...byName, q: 'b' })
    snapshot(rows(['2', 'b', 2]))
    expect(shown(list)).toEqual(['22'])
    expect(list.waiting).toBe(0)
  })

  it('goes on with its rows after a gap', () => {
    const list = new LiveList(live, kind, byName)
    snapshot(rows(['1', 'a', 1], ['2', 'b', 2]))
    list.hold(true)
    snapshot(rows(['0', 'new', 7], ['2', 'b', 5]))
    expect(shown(list)).toEqual(['-11', '25'])
    expect(list.waiting).toBe(1)
  })
})

describe('rows that end', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => vi.useRealTimers())

  it('stay at their place with their end for some seconds, those that no reading saw too', () => {
    const list = new LiveList(live, kind, { q: '', sort: 'load', order: 'desc' })
    snapshot(rows(['1', 'a', 30], ['2', 'b', 20], ['3', 'c', 10]))
    const [brief] = rows(['9', 'brief', 25])
    delta(
      [],
      ['2'],
      [
        { key: '2', exitCode: null, signal: 9, lived: 1 },
        { key: '9', exitCode: 1, signal: null, lived: 1, ...(brief && { row: brief }) },
      ],
    )
    expect(shown(list)).toEqual(['130', '-925', '-220', '310'])
    expect(list.entries[2]?.end).toMatchObject({ signal: 9 })
    expect(ids(list)).toEqual(['1', '3'])
    expect(list.ended.map(({ key }) => key)).toEqual(['9', '2'])
    vi.advanceTimersByTime(10_000)
    delta([])
    expect(shown(list)).toEqual(['130', '310'])
    expect(list.ended).toHaveLength(2)
  })

  it('are only taken away where they did not end but no longer match', () => {
    const list = new LiveList(live, kind, byName)
    snapshot(rows(['1', 'a', 1], ['2', 'b', 2]))
    delta([], ['2'])
    expect(shown(list)).toEqual(['11'])
  })

  it('are bounded, however many end', () => {
    const list = new LiveList(live, kind, byName)
    snapshot([])
    for (let round = 0; round < 4; round++) {
      const ended = rows(
        ...Array.from({ length: 1000 }, (_, i): [string, string, null] => [
          `${round}-${i}`,
          'x',
          null,
        ]),
      ).map((row) => ({ key: row.id, exitCode: 0, signal: null, lived: 1, row }))
      delta([], [], ended)
    }
    expect(list.entries.length).toBeLessThanOrEqual(200)
    expect(list.ended).toHaveLength(500)
  })
})

describe('rows that came', () => {
  it('are told from those that were there, also after a gap, but not those of another search', () => {
    const list = new LiveList(live, kind, byName)
    snapshot(rows(['1', 'a', 1]))
    delta(rows(['2', 'b', 2]))
    snapshot(rows(['1', 'a', 1], ['2', 'b', 2], ['3', 'c', 3]))
    expect(list.entries.map(({ since }) => since > 0)).toEqual([false, true, true])
    list.query({ ...byName, q: 'x' })
    snapshot(rows(['1', 'a', 1], ['7', 'x', 3]))
    expect(list.entries.map(({ since }) => since > 0)).toEqual([false, false])
  })
})

describe('the past of a row', () => {
  const figured: RowKind<Row> = { ...kind, trend: ({ load }) => load ?? 0 }
  const past = (list: LiveList<Row>, key: string) =>
    list.past(key).map((figure) => [new Date(figure.at).getUTCSeconds(), figure.value])

  it('is its figure at each reading from which on it is known, whether it changed or not', () => {
    const list = new LiveList(live, figured, byName)
    snapshot(rows(['1', 'a', 5], ['2', 'b', 0]))
    delta(rows(['3', 'c', 9]))
    delta(rows(['1', 'a', 7]), [], [], 55)
    expect(past(list, '1')).toEqual([
      [53, 5],
      [54, 5],
      [55, 7],
    ])
    expect(past(list, '2').map(([, value]) => value)).toEqual([0, 0, 0])
    expect(past(list, '3')).toEqual([
      [54, 9],
      [55, 9],
    ])
    expect(list.past('4')).toEqual([])
  })

  it('does not begin before what another search found', () => {
    const list = new LiveList(live, figured, byName)
    snapshot(rows(['1', 'a', 5]))
    list.query({ ...byName, q: 'x' })
    snapshot(rows(['1', 'a', 5], ['2', 'x', 3]))
    expect(past(list, '1')).toHaveLength(2)
    expect(past(list, '2')).toEqual([[53, 3]])
  })

  it('goes back as far as trends do', () => {
    const list = new LiveList(live, figured, byName)
    snapshot(rows(['1', 'a', 0]))
    for (let i = 1; i <= 100; i++) delta(rows(['1', 'a', i]))
    expect(past(list, '1').map(([, value]) => value)).toEqual(
      Array.from({ length: 60 }, (_, i) => i + 41),
    )
  })
})

describe('the query of a list', () => {
  it('is the server’s', () => {
    const list = new LiveList(live, kind, { ...byName, q: 'nginx' })
    expect(subjects).toEqual([{ topic: 'processes', q: 'nginx' }])
    list.query({ ...byName, q: 'sshd' })
    list.query({ ...byName, q: 'sshd' })
    list.query(byName)
    expect(subjects.slice(1)).toEqual([{ topic: 'processes', q: 'sshd' }, { topic: 'processes' }])
  })

  it('that is refused leaves the rows, until one is not', () => {
    const list = new LiveList(live, kind, byName)
    snapshot(rows(['1', 'a', 1]))
    list.query({ ...byName, q: 'cpu>' })
    watcher.refused?.({ code: 'invalid', message: 'no value', position: 4 })
    expect(list.refused?.position).toBe(4)
    expect(ids(list)).toEqual(['1'])
    snapshot([])
    expect(list.refused).toBeNull()
  })

  it('ends with the list', () => {
    new LiveList(live, kind, byName).close()
    expect(close).toHaveBeenCalledOnce()
  })
})
