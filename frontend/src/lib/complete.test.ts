import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { complete } from './complete'
import { queryFields } from './wire.gen'

const fields = queryFields.processes ?? []
const values = (field: string) =>
  ({ user: ['root', 'www-data', 'a b'], comm: ['nginx', 'say "hi"'] })[field] ?? []
const texts = (query: string, caret = query.length) =>
  complete(query, caret, fields, values).items.map(({ text }) => text)

describe('completing a phrase', () => {
  const phrases = (part: string) =>
    ['失败', '进程失败', '设备上没有空间', '没有 topdeck'].filter((phrase) => phrase.includes(part))
  it.each([
    ['失败', ['进程失败']],
    ['nginx -空间', ['-设备上没有空间']],
    ['没有', ['设备上没有空间', '"没有 topdeck"']],
    ['"没有 t', ['"没有 topdeck"']],
    ['月亮', []],
    ['', []],
    ['-', []],
  ])('%j', (query, wanted) => {
    const { items } = complete(query, query.length, fields, values, phrases)
    expect(items.map(({ text }) => text)).toEqual(wanted)
  })
})

describe('completing a query', () => {
  it.each([
    ['', []],
    ['nginx us', ['user:']],
    ['-us', ['-user:']],
    ['CP', ['cpu>']],
    ['nam', ['name:']],
    ['rs', ['rss>']],
    ['user:', ['user:root', 'user:www-data', 'user:"a b"']],
    ['-user:W', ['-user:www-data']],
    ['user:root', []],
    ['user:"a', ['user:"a b"']],
    ['name:say', ['name:"say \\"hi\\""']],
    ['cpu>5', []],
    ['nosuch:1', []],
    ['"two us', []],
  ])('%j', (query, expected) => expect(texts(query)).toEqual(expected))

  it('is about the word before the caret', () => {
    expect(complete('us nginx', 2, fields, values)).toMatchObject({ from: 0, to: 2 })
    expect(texts('us nginx', 2)).toEqual(['user:'])
  })
})

describe('completing a time', () => {
  beforeEach(() => {
    vi.stubEnv('TZ', 'Asia/Shanghai')
    vi.useFakeTimers({ now: Date.parse('2026-02-28T17:00:00Z') })
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllEnvs()
  })

  it('is about the last days here', () => {
    expect(texts('starteda')).toEqual(['startedAt:'])
    const { items } = complete('startedAt>=', 11, fields, values)
    expect(items.slice(0, 3)).toEqual([
      { text: 'startedAt>=2026-03-01', kind: 'today', whole: true },
      { text: 'startedAt>=2026-02-28', kind: 'yesterday', whole: true },
      { text: 'startedAt>=2026-02-27', kind: 'day', whole: true },
    ])
    expect(items).toHaveLength(7)
    expect(texts('-startedAt:2026-03')).toEqual(['-startedAt:2026-03-01'])
  })
})
