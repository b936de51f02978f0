import { describe, expect, it } from 'vitest'
import { isLong, readLong } from './read'

describe('a long snapshot', () => {
  const rows = Array.from({ length: 9000 }, (_, i) => ({
    pid: i,
    comm: i % 3 ? 'plain' : '},{"pid":1,"rows":[{"pid":',
    cmdline: i % 5 ? `"],"errors":{ ${'x'.repeat(40)}` : '},{\\"pid":',
    list: [i, i + 1],
  }))
  const message = {
    type: 'snapshot',
    view: 3,
    seq: 1,
    time: '2026-03-14T09:26:53Z',
    total: 9000,
    matched: 9000,
    rows,
    errors: { owners: 'a reason "],}{"rows":[{"pid":1},{"pid":2}]' },
  }
  const text = JSON.stringify(message)

  it('is read in pieces to what it is, whatever its texts hold', async () => {
    expect(isLong(text)).toBe(true)
    expect(await readLong(text)).toEqual(message)
  })

  it('without rows too', async () => {
    const empty = { ...message, rows: [] }
    expect(await readLong(JSON.stringify(empty))).toEqual(empty)
  })

  it('is not what is short, nor another message', () => {
    expect(isLong(JSON.stringify({ ...message, rows: [] }))).toBe(false)
    expect(isLong(`{"type":"output","lines":"${'x'.repeat(1e6)}"}`)).toBe(false)
  })
})
