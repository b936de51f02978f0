import { describe, expect, it } from 'vitest'
import { Entry } from './entry'
import type { Line } from './entry'
import { below, slicesOf, Trees } from './tree'
import type { Process } from './wire.gen'

function process(pid: number, ppid: number, part: Partial<Process> = {}): Entry<Process> {
  const row: Process = {
    pid,
    startTime: pid * 10,
    startedAt: '2026-03-14T09:26:53Z',
    ppid,
    user: 'root',
    state: 'S',
    nice: 0,
    comm: `p${pid}`,
    cmdline: '',
    cpuPercent: 1,
    rss: 1000,
    vsize: 0,
    threads: 1,
    unit: '',
    slice: '',
    ...part,
  }
  return new Entry(`${pid}:${pid * 10}`, row, 0, null)
}

const drawn = (lines: readonly Line<Process>[]) =>
  lines.map(
    ({ row, depth, open }) => `${'  '.repeat(depth)}${row.comm}${open === false ? ' +' : ''}`,
  )

const nothing: ReadonlySet<string> = new Set()

describe('what is below a line', () => {
  const web = { slice: 'system-web.slice', unit: 'web.service' }
  const entries = [
    process(1, 0, { unit: 'init.scope' }),
    process(4, 1, web),
    process(9, 4, web),
    process(10, 9, { slice: 'system-web.slice', unit: 'web.service-2' }),
    process(7, 1, { slice: 'system.slice', unit: 'db.service' }),
    // Two that are parents of each other: a PID may be used again meanwhile.
    process(20, 21),
    process(21, 20),
  ]
  const line = (lines: readonly Line<Process>[], name: string) =>
    lines.find(({ row }) => row.comm === name) as Line<Process>
  const names = (found: readonly Entry<Process>[]) => found.map(({ row }) => row.comm)

  it.each([
    ['p4', ['p4', 'p9', 'p10']],
    ['p1', ['p1', 'p4', 'p7', 'p9', 'p10']],
    ['p7', ['p7']],
  ])('is %s and all that came of it, folded away or not', (name, all) => {
    const lines = new Trees().byParent(entries, new Set(['4:40']))
    expect(names(below(entries, line(lines, name)))).toEqual(all)
  })

  it('has an end where processes are each other’s parents', () => {
    expect(names(below(entries, entries[5] as Entry<Process>))).toEqual(['p20', 'p21'])
  })

  it.each([
    ['web.service', ['p4', 'p9']],
    ['system-web.slice', ['p4', 'p9', 'p10']],
    ['system.slice', ['p4', 'p9', 'p10', 'p7']],
  ])('are the processes of %s', (name, all) => {
    const lines = new Trees().byUnit(entries, new Set())
    expect(names(below(entries, line(lines, name)))).toEqual(all)
  })

  it('are the living', () => {
    const gone = new Entry('9:90', process(9, 4, web).row, 0, null, {
      exitCode: 0,
      signal: null,
      lived: 1,
      at: 0,
    })
    const rest = [...entries.slice(0, 2), gone]
    expect(names(below(rest, entries[1] as Entry<Process>))).toEqual(['p4'])
  })
})

describe('processes by parent', () => {
  const entries = [process(9, 4), process(4, 1), process(1, 0), process(7, 1), process(5, 4)]

  it('stand below it, in the order of the list', () => {
    expect(drawn(new Trees().byParent(entries, nothing))).toEqual([
      'p1',
      '  p4',
      '    p9',
      '    p5',
      '  p7',
    ])
  })

  it('are folded away with all below', () => {
    expect(drawn(new Trees().byParent(entries, new Set(['4:40'])))).toEqual([
      'p1',
      '  p4 +',
      '  p7',
    ])
  })

  it('without their parent in the list stand at the root', () => {
    expect(drawn(new Trees().byParent([process(9, 4), process(5, 8)], nothing))).toEqual([
      'p9',
      'p5',
    ])
  })

  it('may stand as deep as they like', () => {
    const chain = Array.from({ length: 30_000 }, (_, i) => process(i + 1, i))
    const lines = new Trees().byParent(chain, nothing)
    expect(lines).toHaveLength(30_000)
    expect(lines.at(-1)?.depth).toBe(29_999)
  })

  it('keep the very lines that did not change', () => {
    const trees = new Trees()
    const before = trees.byParent(entries, nothing)
    const changed = entries.map((entry) => (entry.row.pid === 9 ? process(9, 4) : entry))
    const after = trees.byParent(changed, nothing)
    expect(after.map((line, i) => line === before[i])).toEqual([true, true, false, true, true])
  })
})

describe('processes by unit', () => {
  const entries = [
    process(20, 1, { unit: 'nginx.service', slice: 'system.slice', cpuPercent: 30 }),
    process(21, 20, { unit: 'nginx.service', slice: 'system.slice', cpuPercent: 12 }),
    process(30, 1, { unit: 'session-2.scope', slice: 'user-1000.slice' }),
    process(1, 0, { unit: 'init.scope' }),
    process(2, 0),
  ]

  it('stand in units, those in slices, with the sums of what is within', () => {
    const lines = new Trees().byUnit(entries, nothing)
    expect(drawn(lines)).toEqual([
      'init.scope +',
      'system.slice',
      '  nginx.service +',
      'user.slice',
      '  user-1000.slice',
      '    session-2.scope +',
      'p2',
    ])
    expect(lines[1]).toMatchObject({
      row: { cpuPercent: 42, rss: 2000 },
      group: { kind: 'slice', count: 2 },
    })
  })

  it('are shown when their unit is unfolded', () => {
    const trees = new Trees()
    const unit = trees.byUnit(entries, nothing).find(({ row }) => row.comm === 'nginx.service')
    const lines = trees.byUnit(entries, new Set([unit?.key ?? '']))
    expect(drawn(lines).slice(1, 5)).toEqual([
      'system.slice',
      '  nginx.service',
      '    p20',
      '    p21',
    ])
  })

  it.each([
    ['system.slice', ['system.slice']],
    ['user-1000.slice', ['user.slice', 'user-1000.slice']],
    ['a-b-c.slice', ['a.slice', 'a-b.slice', 'a-b-c.slice']],
    ['-.slice', ['-.slice']],
    ['', []],
  ])('the slices of %j', (slice, expected) => expect(slicesOf(slice)).toEqual(expected))
})
