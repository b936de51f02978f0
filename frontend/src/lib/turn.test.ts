import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { inTurn } from './turn'

describe('what waits for its turn', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is done one job a task, in its order', () => {
    const done: number[] = []
    for (const n of [1, 2, 3]) inTurn(() => done.push(n))
    expect(done).toEqual([])
    vi.advanceTimersToNextTimer()
    expect(done).toEqual([1])
    vi.advanceTimersToNextTimer()
    expect(done).toEqual([1, 2])
    vi.advanceTimersToNextTimer()
    expect(done).toEqual([1, 2, 3])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is not done when it was called off, and what comes after is', () => {
    const done: number[] = []
    const callOff = inTurn(() => done.push(1))
    callOff()
    inTurn(() => done.push(2))
    vi.runAllTimers()
    expect(done).toEqual([2])
  })

  it('goes on after a job that fails', () => {
    const done: number[] = []
    inTurn(() => {
      throw new Error('failed')
    })
    inTurn(() => done.push(2))
    expect(() => vi.advanceTimersToNextTimer()).toThrow('failed')
    vi.runAllTimers()
    expect(done).toEqual([2])
  })
})
