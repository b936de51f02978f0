import { flushSync, mount, unmount } from 'svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { api, ApiError } from '../lib/api'
import { acting, operations } from '../lib/app.svelte'
import ServiceForm from './ServiceForm.svelte'

const absent = new ApiError('not_found', 'there is no service "web"; names must be exact')

let component: object
let refusal: ApiError
let field: HTMLInputElement

function type(text: string) {
  field.value = text
  field.dispatchEvent(new Event('input', { bubbles: true }))
  flushSync()
}

function send(action: string) {
  document.querySelector<HTMLInputElement>(`[value=${action}]`)?.click()
  document.querySelector<HTMLButtonElement>('form button')?.click()
}

/** What is said of the field. */
const said = () =>
  (field.getAttribute('aria-describedby') ?? '')
    .split(' ')
    .map((id) => document.getElementById(id)?.textContent ?? '')
    .join(' ')

beforeEach(() => {
  vi.spyOn(api, 'call').mockImplementation(() => Promise.reject(refusal))
  component = mount(ServiceForm, { target: document.body })
  flushSync()
  field = document.querySelector('[type=text]') as HTMLInputElement
})
afterEach(() => {
  void unmount(component)
  operations.forget()
})

it.each(['start', 'stop'])(
  'tells of a wrong name at its field, and nowhere else: %s',
  async (act) => {
    refusal = absent
    type('web')
    send(act)
    await vi.waitFor(() => expect(document.activeElement).toBe(field))
    expect(field.getAttribute('aria-invalid')).toBe('true')
    expect(said()).toBe('There is no service "web"; names must be exact.')
    expect(field.value).toBe('web')
    expect(operations.news.notices).toEqual([])
    type('webs')
    expect(field.getAttribute('aria-invalid')).toBe('false')
    expect(said()).toBe('')
  },
)

it('tells at the field that a name is needed', async () => {
  type('')
  send('start')
  await vi.waitFor(() => expect(document.activeElement).toBe(field))
  expect(said()).toBe('The exact name of a service is needed.')
})

it('leaves any other refusal to the toasts', async () => {
  refusal = new ApiError('forbidden', 'your role, viewer, may not do this')
  type('web')
  send('start')
  await vi.waitFor(() => expect(operations.news.notices[0]?.refusal).toBe(refusal))
  expect(field.getAttribute('aria-invalid')).toBe('false')
})

describe('a command', () => {
  beforeEach(() => {
    acting.commands = true
    flushSync()
    field = document.querySelectorAll<HTMLInputElement>('[type=text]')[1] as HTMLInputElement
  })
  afterEach(() => {
    type('')
    acting.commands = false
  })

  const run = () => document.querySelector<HTMLButtonElement>('form button')?.click()

  it.each([
    [
      'invalid',
      'cannot run a command in which a single quote is not closed',
      'Cannot run a command in which a single quote is not closed.',
    ],
    [
      'not_found',
      'cannot run nosuch: no such program on the PATH of commands',
      'Cannot run nosuch: no such program on the PATH of commands.',
    ],
  ] as const)(
    'that is wrong is told of at its field, and nowhere else: %s',
    async (code, why, words) => {
      refusal = new ApiError(code, why)
      type("echo 'x")
      run()
      await vi.waitFor(() => expect(said()).toContain(words))
      expect(document.activeElement).toBe(field)
      expect(field.getAttribute('aria-invalid')).toBe('true')
      expect(operations.news.notices).toEqual([])
      type("echo 'x'")
      expect(field.getAttribute('aria-invalid')).toBe('false')
      expect(document.querySelector('[role=alert]')).toBeNull()
    },
  )

  it('that cannot be run for another reason is told of by a toast', async () => {
    refusal = new ApiError('too_many', 'cannot run more than 8 commands at once')
    type('uptime')
    run()
    await vi.waitFor(() => expect(operations.news.notices[0]?.refusal).toBe(refusal))
    expect(field.getAttribute('aria-invalid')).toBe('false')
  })
})
