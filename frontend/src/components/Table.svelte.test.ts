import { createRawSnippet, flushSync, mount, tick, unmount } from 'svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { density } from '../lib/density.svelte'
import Table from './Table.svelte'

let component: object | undefined
let layOut = () => {}
beforeEach(() => {
  // Nothing is laid out here: of a scroller, that it is 300 pixels high.
  class Observer {
    constructor(private told: (entries: object[]) => void) {}
    observe(target: Element) {
      layOut = () => this.told([{ target, contentRect: { height: 300 } }])
    }
    unobserve() {}
  }
  vi.stubGlobal('ResizeObserver', Observer)
})
afterEach(async () => {
  if (component) await unmount(component)
  vi.unstubAllGlobals()
})

/** A table of texts, and what shows others in it. */
function table(first: string[], more: object = {}) {
  const props = $state({
    label: 'Log',
    rows: first,
    columns: [{ id: 'a', title: 'A', text: (row: string) => row }],
    key: (row: string) => row,
    empty: createRawSnippet(() => ({ render: () => '<p></p>' })),
    ...more,
  })
  component = mount(Table<string>, { target: document.body, props })
  flushSync()
  return async (rows: string[]) => {
    props.rows = rows
    await tick()
    await tick()
  }
}

const elements = () => [...document.querySelectorAll<HTMLElement>('tbody tr')]
const texts = () => elements().map((row) => row.textContent?.trim())

it('a table tells which of its rows are in sight, not all that it has or draws', () => {
  const onsight = vi.fn()
  table(
    Array.from({ length: 50 }, (_, i) => `row ${i}`),
    { onsight },
  )
  expect(onsight).not.toHaveBeenCalled()
  layOut()
  flushSync()
  const rows = onsight.mock.lastCall?.[0] as string[]
  expect(rows[0]).toBe('row 0')
  expect(rows).toHaveLength(Math.floor((300 - 27) / density.height))
})

describe('the rows of a table', () => {
  it('lie at their places by transforms, which shift nothing', async () => {
    const show = table(['a', 'b', 'c'])
    await show(['c', 'a', 'b'])
    expect(texts()).toEqual(['c', 'a', 'b'])
    expect(elements().map((row) => row.style.transform)).toEqual(
      [0, 1, 2].map((at) => `translateY(${at * density.height}px)`),
    )
  })

  it('keep their elements, and take those of rows that have left', async () => {
    const show = table(['a', 'b', 'c'])
    const [a, b, c] = elements()
    await show(['c', 'x', 'a'])
    expect(texts()).toEqual(['c', 'x', 'a'])
    expect(elements()).toEqual([c, b, a])
  })

  it('keep the focus while they move; one that has left leaves it to the table', async () => {
    const show = table(['a', 'b', 'c'])
    const a = elements()[0]
    a?.focus()
    await show(['c', 'b', 'a'])
    expect(document.activeElement).toBe(a)
    expect(texts()[2]).toBe('a')
    await show(['c', 'b', 'x'])
    expect(document.activeElement?.getAttribute('role')).toBe('region')
  })

  it('show no tag that they do not have, whatever is clicked', async () => {
    const tagged = new Set<string>()
    const show = table(['a', 'b'], { tagged, ontag: vi.fn(), tagLabel: (row: string) => row })
    const box = document.querySelector<HTMLInputElement>('tbody input')
    box?.click()
    await tick()
    await tick()
    expect(box?.checked).toBe(false)
    await show(['b', 'a'])
    expect(box?.checked).toBe(false)
  })

  it('have a box to be tagged by only where they can be', () => {
    const tagLabel = (row: string) => (row === 'b' ? '' : `Tag ${row}`)
    table(['a', 'b', 'c'], { tagged: new Set(), ontag: vi.fn(), tagLabel })
    const boxes = [...document.querySelectorAll('tbody input')]
    expect(boxes.map((box) => box.getAttribute('aria-label'))).toEqual(['Tag a', 'Tag c'])
  })
})
