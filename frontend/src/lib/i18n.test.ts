import { afterEach, describe, expect, it } from 'vitest'
import { i18n, preferred } from './i18n.svelte'
import { en } from './i18n/en'
import { zh } from './i18n/zh'

afterEach(() => localStorage.clear())

describe('the language', () => {
  it.each([
    [['zh-CN', 'en'], 'zh'],
    [['de-DE', 'zh-Hans', 'en'], 'zh'],
    [['en-GB', 'zh'], 'en'],
    [['de'], 'en'],
    [[], 'en'],
  ])('for %j is %s', (wanted, language) => expect(preferred(wanted)).toBe(language))

  it('is remembered, and told to the page', () => {
    i18n.language = 'zh'
    expect(document.documentElement.lang).toBe('zh-Hans')
    i18n.language = 'en'
    i18n.start()
    expect(i18n.t.nav.host).toBe('Host')
    localStorage.setItem('topdeck.language', 'zh')
    i18n.start()
    expect(i18n.t.nav.host).toBe('主机')
  })
})

/** Every text of a catalogue with the way to it; functions are called with what stands for their values. */
function texts(node: unknown, path = ''): [string, string][] {
  if (typeof node === 'string') return [[path, node]]
  if (typeof node === 'function')
    return [[path, (node as (...values: string[]) => string)('①', '②')]]
  return Object.entries(node as object).flatMap(([key, value]) => texts(value, `${path}.${key}`))
}

describe('the catalogues', () => {
  const english = texts(en)
  const chinese = new Map(texts(zh))

  it('have the same texts, even where the type check lets any key pass', () =>
    expect([...chinese.keys()]).toEqual(english.map(([path]) => path)))

  it('leave out no value that a text is given', () => {
    for (const [path, text] of english) {
      for (const value of ['①', '②']) {
        expect(chinese.get(path)?.includes(value), `${path}: ${text}`).toBe(text.includes(value))
      }
    }
  })

  it('are translated', () => {
    const same = english.filter(([path, text]) => text !== '' && chinese.get(path) === text)
    // What has no other name in Chinese.
    const names = new Set(['TCP/UDP', 'CPU', 'CPU %', 'PID', 'I/O', 'Nice', 'cron', '/proc'])
    expect(same.map(([, text]) => text).filter((text) => !names.has(text))).toEqual([])
  })
})

describe('an English count', () => {
  it('of one is no plural', () => {
    expect(en.log.records('1', false)).toBe('1 record')
    expect(en.log.records('2', true)).toBe('at least 2 records')
    expect(en.log.activity.sum('1')).toBe('1 act')
    expect(en.log.activity.others('1')).toBe('; 1 other record')
  })
})
