import { flushSync, mount, unmount } from 'svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import SearchField from './SearchField.svelte'

const searched = vi.fn()
let props: { value: string; refused: { message: string; position?: number } | null }
let component: object

const field = () => document.querySelector('input') as HTMLInputElement

function type(text: string) {
  field().value = text
  field().dispatchEvent(new Event('input', { bubbles: true }))
  flushSync()
}

beforeEach(() => {
  vi.useFakeTimers()
  searched.mockReset()
  const reactive = $state({ value: 'nginx', refused: null as typeof props.refused })
  props = reactive
  searched.mockImplementation((query: string) => (reactive.value = query))
  component = mount(SearchField, {
    target: document.body,
    props: {
      get value() {
        return reactive.value
      },
      get refused() {
        return reactive.refused
      },
      label: 'Search',
      example: 'x',
      answered: null,
      onsearch: searched,
    },
  })
  flushSync()
})
afterEach(() => {
  void unmount(component)
  vi.useRealTimers()
})

describe('the search field', () => {
  it('asks when typing pauses, not before', () => {
    type('s')
    vi.advanceTimersByTime(50)
    type('ssh')
    vi.advanceTimersByTime(50)
    expect(searched).not.toHaveBeenCalled()
    vi.advanceTimersByTime(50)
    expect(searched.mock.calls).toEqual([['ssh']])
  })

  it('keeps the space after which one goes on typing', () => {
    type('sshd ')
    vi.advanceTimersByTime(500)
    flushSync()
    expect(searched).toHaveBeenCalledWith('sshd')
    expect(field().value).toBe('sshd ')
  })

  it('asks nothing for a space more', () => {
    type('nginx ')
    vi.advanceTimersByTime(500)
    expect(searched).not.toHaveBeenCalled()
  })

  it('asks at once on Enter, and clears on Escape', () => {
    type('a')
    field().dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }))
    field().dispatchEvent(
      new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true }),
    )
    flushSync()
    expect(searched.mock.calls).toEqual([['a'], ['']])
    expect(field().value).toBe('')
  })

  it('follows the query when that changes elsewhere, as by Back', () => {
    props.value = 'cron'
    flushSync()
    expect(field().value).toBe('cron')
  })

  it('shows a refusal at its place', () => {
    props.value = 'cpu>x'
    props.refused = { message: 'not a number', position: 4 }
    flushSync()
    expect(document.querySelector('mark')?.textContent).toBe('x')
    expect(field().getAttribute('aria-invalid')).toBe('true')
    const described = document.getElementById(field().getAttribute('aria-describedby') ?? '')
    expect(described?.textContent).toContain('not a number')
  })
})
