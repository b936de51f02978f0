import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { localDays } from './days'
import { queryFields } from './wire.gen'

describe('a day that a query asks for', () => {
  beforeEach(() => void vi.stubEnv('TZ', 'Asia/Shanghai'))
  afterEach(() => void vi.unstubAllEnvs())

  const here = '2026-03-13T16:00:00Z/2026-03-14T16:00:00Z'
  it.each([
    ['nginx time:2026-03-14 actor:ada', `nginx time:${here} actor:ada`],
    ['logTime="2026-03-14"', `logTime=${here}`],
    ['TIME>2026-03-14', `TIME>${here}`],
    ['time>=2026-03-14', `time>=${here}`],
    ['time<2026-03-14', `time<${here}`],
    ['-time<=2026-03-14', `-time<=${here}`],
    ['-time:2026-03-14', `-time:${here}`],
  ])('is a day here: %j', (q, asked) => {
    expect(localDays(q, queryFields.operations ?? [])).toBe(asked)
  })

  it.each([
    'nginx',
    'time>=2026-03-14T00:00:00Z',
    'time:2026-03-1',
    'time:2026-02-30',
    'target:2026-03-14',
    '"at time:2026-03-14 or"',
  ])('is nothing else: %j', (q) => {
    expect(localDays(q, queryFields.operations ?? [])).toBe(q)
  })

  it('is as long as that day is', () => {
    vi.stubEnv('TZ', 'Europe/Berlin')
    expect(localDays('startedAt:2026-03-29', queryFields.processes ?? [])).toBe(
      'startedAt:2026-03-28T23:00:00Z/2026-03-29T22:00:00Z',
    )
  })
})
