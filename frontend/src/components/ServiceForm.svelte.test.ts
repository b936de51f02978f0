import { flushSync, mount, unmount } from 'svelte'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { api, ApiError } from '../lib/api'
import { operations } from '../lib/app.svelte'
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
  document.getElementById(field.getAttribute('aria-describedby') ?? '')?.textContent ?? ''

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
