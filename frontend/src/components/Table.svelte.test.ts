import { createRawSnippet, flushSync, mount, unmount } from 'svelte'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { density } from '../lib/density.svelte'
import Table from './Table.svelte'

let component: object | undefined
beforeEach(() => {
  vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(300)
})
afterEach(() => {
  if (component) void unmount(component)
  vi.restoreAllMocks()
})

it('a table tells which of its rows are in sight, not all that it has or draws', () => {
  const onsight = vi.fn()
  component = mount(Table<string>, {
    target: document.body,
    props: {
      label: 'Log',
      rows: Array.from({ length: 50 }, (_, i) => `row ${i}`),
      columns: [{ id: 'a', title: 'A', text: (row) => row }],
      key: (row) => row,
      empty: createRawSnippet(() => ({ render: () => '<p></p>' })),
      onsight,
    },
  })
  flushSync()
  const rows = onsight.mock.lastCall?.[0] as string[]
  expect(rows[0]).toBe('row 0')
  expect(rows).toHaveLength(Math.floor((300 - 27) / density.height))
})
