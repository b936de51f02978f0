import { flushSync } from 'svelte'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Columns } from './columns.svelte'
import { router } from './router.svelte'

const offered = [
  { id: 'pid' },
  { id: 'rss', spare: true },
  { id: 'nice', extra: true },
  { id: 'name', fixed: true },
  { id: 'acts', acts: true },
]

let columns: Columns<(typeof offered)[number]>
let end = () => {}

/** Somebody comes to the list by an address, with all else that the browser knows. */
function arrive(address: string) {
  end()
  router.go(address)
  end = $effect.root(() => {
    columns = new Columns('things', () => offered)
  })
  flushSync()
}

const ids = () => columns.picked.map(({ id }) => id).join()

beforeEach(() => {
  localStorage.clear()
  router.start()
})
afterEach(() => end())

it('are the usual ones, and the address says so', () => {
  arrive('/things?q=x')
  expect(ids()).toBe('pid,rss,name,acts')
  expect(router.query.get('columns')).toBe('usual')
})

it('are those of the address, whatever was chosen before', () => {
  arrive('/things')
  columns.choose(['nice', 'name'])
  arrive('/things?columns=rss,name')
  expect(ids()).toBe('rss,name,acts')
  arrive('/things?columns=usual')
  expect(ids()).toBe('pid,rss,name,acts')
})

it('are as chosen last where the address tells none, which it does then', () => {
  arrive('/things')
  columns.choose(['name', 'nice'])
  arrive('/things')
  expect(ids()).toBe('name,nice,acts')
  expect(router.query.get('columns')).toBe('name,nice')
  router.go('/things?q=y')
  flushSync()
  expect(router.query.get('columns')).toBe('name,nice')
  columns.choose([])
  arrive('/things')
  expect(ids()).toBe('pid,rss,name,acts')
})

it('never lack those that are always there, nor hold those that there are not', () => {
  arrive('/things?columns=nothing,pid,acts')
  expect(ids()).toBe('name,pid,acts')
})

it('are shown where one chose them, though there be little room', () => {
  arrive('/things?columns=rss')
  expect(columns.picked.some(({ spare }) => spare)).toBe(false)
})
