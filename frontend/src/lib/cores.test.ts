import { describe, expect, it } from 'vitest'
import { coresOf, CoresTrend, trendPath } from './cores'
import type { Point } from './wire.gen'

const start = Date.parse('2026-03-14T09:00:00Z')
const at = (second: number) => start + second * 1000

describe('the trend of the cores', () => {
  it('is in those points of the history that have it', () => {
    const point = (second: number, cores?: number[]) =>
      ({ time: new Date(at(second)).toISOString(), ...(cores ? { cores } : {}) }) as Point
    expect(coresOf([point(1), point(2, [5, 7]), point(3)])).toEqual([{ at: at(2), busy: [5, 7] }])
  })

  it('goes on with the mean of what is pushed, one moment every ten seconds', () => {
    const trend = new CoresTrend()
    trend.begin([{ at: at(0), busy: [50, 50] }])
    for (let second = 1; second < 10; second++)
      expect(trend.add(at(second), [second, 0])).toHaveLength(1)
    expect(trend.add(at(10), [10, 100]).slice(1)).toEqual([{ at: at(10), busy: [6, 10] }])
    for (let second = 11; second < 20; second++) trend.add(at(second), [0, 0])
    expect(trend.add(at(20), [0, 0]).at(-1)).toEqual({ at: at(20), busy: [0, 0] })
  })

  it('begins with what is pushed where there is no history', () => {
    const trend = new CoresTrend()
    expect(trend.add(at(3), [8])).toEqual([])
    expect(trend.add(at(13), [4])).toEqual([{ at: at(13), busy: [6] }])
  })

  it('keeps fifteen minutes', () => {
    const trend = new CoresTrend()
    let past = trend.add(at(0), [1])
    for (let second = 1; second <= 2000; second++) past = trend.add(at(second), [1])
    expect(past).toHaveLength(90)
    expect(past[0]?.at).toBe(at(1110))
  })
})

describe('the path of a trend', () => {
  it('has its newest reading at the right, and older ones by their time', () => {
    const past = [
      { at: at(0), busy: [0, 20] },
      { at: at(10), busy: [0, 40] },
    ]
    expect(trendPath(past, 1, 100, at(20))).toBe('M88 100L88 80L89 60L90 0L90 100Z')
  })

  it('has a gap where nothing is known', () => {
    const past = [
      { at: at(0), busy: [30] },
      { at: at(100), busy: [60] },
    ]
    expect(trendPath(past, 0, 10, at(110))).toBe('M79 100L79 70L79 100ZM89 100L89 40L90 90L90 100Z')
  })

  it('stays within its box, and is there for a core that has just come', () => {
    expect(trendPath([{ at: at(-5000), busy: [120] }], 0, 120, at(0))).toBe('M89 100V0H90V100Z')
    expect(trendPath([{ at: at(0), busy: [1] }], 7, 50, at(0))).toBe('M89 100V50H90V100Z')
  })
})
