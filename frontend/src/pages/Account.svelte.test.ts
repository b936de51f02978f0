import { flushSync, mount, unmount } from 'svelte'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { api, ApiError } from '../lib/api'
import { session } from '../lib/app.svelte'
import Account from './Account.svelte'

let component: object
let refusal: ApiError
const fields = () => [...document.querySelectorAll<HTMLInputElement>('[type=password]')]

function type(...texts: string[]) {
  for (const [at, field] of fields().entries()) {
    field.value = texts[at] ?? ''
    field.dispatchEvent(new Event('input', { bubbles: true }))
  }
  flushSync()
}

const said = (field: HTMLInputElement | undefined) =>
  document.getElementById(field?.getAttribute('aria-describedby') ?? '')?.textContent

beforeEach(() => {
  session.enter({
    username: 'ada',
    role: 'viewer',
    expiresAt: '2026-03-14T10:00:00Z',
    mustEnrol: false,
  })
  vi.spyOn(api, 'call').mockImplementation((method) =>
    method === 'PATCH' ? Promise.reject(refusal) : new Promise(() => {}),
  )
  component = mount(Account, { target: document.body })
  flushSync()
  type('wrong', 'a new good password', 'a new good password')
})
afterEach(() => {
  void unmount(component)
  session.leave(false)
})

const send = () => document.querySelector<HTMLButtonElement>('form .first')?.click()

it('tells of a wrong current password at its field, until another one is typed', async () => {
  refusal = new ApiError('forbidden', 'the current password is wrong')
  send()
  const [current, next] = fields()
  await vi.waitFor(() => expect(document.activeElement).toBe(current))
  expect(current?.getAttribute('aria-invalid')).toBe('true')
  expect(said(current)).toBe('The current password is wrong.')
  expect(document.querySelector('[role=alert]')).toBeNull()
  expect(next?.value).toBe('a new good password')
  type('right', 'a new good password', 'a new good password')
  expect(current?.getAttribute('aria-invalid')).toBe('false')
})

it('tells any other refusal below the fields', async () => {
  refusal = new ApiError('unreachable')
  send()
  await vi.waitFor(() => expect(document.querySelector('[role=alert]')).not.toBeNull())
  expect(fields().map((field) => field.getAttribute('aria-invalid'))).not.toContain('true')
})
