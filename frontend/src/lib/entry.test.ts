import { describe, expect, it } from 'vitest'
import { comparing, Entry, merged, Trend, trendLength } from './entry'
import type { SortValue } from './entry'

function entry(key: string, value: SortValue): Entry<null> {
  const made = new Entry(key, null, 0, null)
  made.value = value
  return made
}

const keys = (entries: readonly Entry<null>[]) => entries.map(({ key }) => key)

describe('merging into a sorted list', () => {
  it('gives what sorting all anew gives, whatever changes', () => {
    let seed = 7
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below
    const compare = comparing<null>('desc')
    let sorted: Entry<null>[] = []
    for (let round = 0; round < 60; round++) {
      const fresh: Entry<null>[] = []
      for (const old of sorted) {
        if (random(4) > 0) continue
        old.stale = true
        if (random(2) > 0) fresh.push(entry(old.key, random(6)))
      }
      for (let i = 0; i < 5; i++)
        fresh.push(entry(`${round * 10 + i}:1`, random(3) ? random(6) : null))
      const expected = [...sorted.filter(({ stale }) => !stale), ...fresh].sort(compare)
      sorted = merged(sorted, fresh, compare)
      expect(keys(sorted)).toEqual(keys(expected))
    }
    expect(sorted.length).toBeGreaterThan(10)
  })
})

describe('a trend', () => {
  it('stays what it was between two changes, and ends with the last', () => {
    const trend = new Trend()
    trend.add(10, 5)
    trend.add(12, 5)
    trend.add(13, 8)
    expect(trend.until(15)).toEqual([
      { at: 0, value: 0 },
      { at: trendLength - 6, value: 5 },
      { at: trendLength - 3, value: 8 },
    ])
  })

  it('forgets what is too long ago', () => {
    const trend = new Trend()
    trend.add(1, 3)
    trend.add(2 + 3 * trendLength, 4)
    expect(trend.until(2 + 3 * trendLength)).toEqual([
      { at: 0, value: 3 },
      { at: trendLength - 1, value: 4 },
    ])
    expect(trend.until(2 + 5 * trendLength)).toEqual([{ at: 0, value: 4 }])
  })
})
