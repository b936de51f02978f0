import { describe, expect, it } from 'vitest'
import { elementsOf, shiftOf, sightOf, windowOf } from './window'

describe('the rows that are drawn', () => {
  it.each([
    ['at the top', 0, { first: 0, last: 28 }],
    ['further down', 2600, { first: 92, last: 128 }],
    ['at the end', 25_480, { first: 972, last: 1000 }],
    ['beyond it, after rows have gone', 90_000, { first: 992, last: 1000 }],
  ])('%s', (_, top, expected) => expect(windowOf(top, 520, 26, 1000)).toEqual(expected))

  it('are none of none', () => expect(windowOf(0, 520, 26, 0)).toEqual({ first: 0, last: 0 }))
})

describe('the shift of the rows in sight', () => {
  const key = (row: string) => row
  const rows = [...'abcdefgh']

  it.each([
    ['none', 'abcdefgh', 0],
    ['two that came above', 'xyabcdefgh', 2],
    ['two that went above', 'cdefgh', -2],
    ['one of them that jumped to the top', 'eabcdfgh', 0],
    ['all of them gone', 'xyz', 0],
  ])('%s', (_, next, expected) =>
    expect(shiftOf(rows.slice(2, 7), 2, [...next], key)).toBe(expected),
  )
})

describe('the rows in sight', () => {
  it.each([
    ['at the top', 0, { first: 0, last: 9 }],
    ['between two rows', 10, { first: 1, last: 9 }],
    ['at the end', 720, { first: 24, last: 30 }],
  ])('are those that are so as a whole: %s', (_, top, want) => {
    expect(sightOf(top, 300, 27, 30, 30)).toEqual(want)
  })
})

describe('the elements of the rows in sight', () => {
  const before = new Map([...'abcd'].map((key, i) => [key, i]))

  it.each([
    ['stay with rows that stay, in whatever order', 'dbca', [3, 1, 2, 0]],
    ['pass from rows that leave to rows that come', 'xbyd', [0, 1, 2, 3]],
    ['pass on where all are others', 'wxyz', [0, 1, 2, 3]],
    ['are new where none is left', 'abcdef', [0, 1, 2, 3, 4, 5]],
    ['are as many as the rows', 'd', [3]],
  ])('%s', (_, next, expected) => {
    const elements = elementsOf([...next], before)
    expect([...elements.keys()].join('')).toBe(next)
    expect([...elements.values()]).toEqual(expected)
  })

  it('are never one for two rows, after a list was short', () => {
    const short = elementsOf([...'d'], before)
    expect(new Set(elementsOf([...'abcd'], short).values()).size).toBe(4)
  })
})
