import { flushSync } from 'svelte'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Entry } from './entry'
import { router } from './router.svelte'
import { Tags } from './tags.svelte'

let tags: Tags<string>
let end: () => void

const line = (key: string) => new Entry(key, key, 0, null)
const ended = (key: string) =>
  new Entry(key, key, 0, null, { exitCode: 0, signal: null, lived: 1, at: 0 })
const keys = () => [...tags.keys].join(' ')

beforeEach(() => {
  vi.useFakeTimers()
  router.start()
  router.go('/things')
  end = $effect.root(() => {
    tags = new Tags((row) => row)
  })
  flushSync()
})
afterEach(() => {
  end()
  vi.useRealTimers()
})

it('are of the rows that are there, and in the address', () => {
  tags.set([line('1:2'), line('a,b'), ended('gone')], true)
  expect(keys()).toBe('1:2 a,b')
  router.go('/elsewhere')
  expect(keys()).toBe('')
  router.go('/things?tag=7')
  expect(keys()).toBe('7')
  tags.set([line('7')], false)
  expect(router.query.has('tag')).toBe(false)
})

it('go when what was asked for is done, those that end at once together', () => {
  const go = vi.spyOn(router, 'go')
  tags.set(['a', 'b', 'c'].map(line), true)
  go.mockClear()
  tags.finish('a')
  tags.finish('c')
  vi.advanceTimersByTime(1_000)
  expect(keys()).toBe('b')
  expect(go).toHaveBeenCalledOnce()
})

it.each(['before', 'after'])(
  'are not those of the next page, which was opened %s it was done',
  (when) => {
    tags.set([line('a'), line('b')], true)
    if (when === 'after') tags.finish('a')
    end()
    router.go('/elsewhere?tag=x')
    if (when === 'before') tags.finish('a')
    vi.advanceTimersByTime(1_000)
    expect(router.query.get('tag')).toBe('x')
  },
)
