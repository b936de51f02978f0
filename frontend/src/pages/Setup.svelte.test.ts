import { flushSync, mount, unmount } from 'svelte'
import { expect, it, vi } from 'vitest'
import { api } from '../lib/api'
import Setup from './Setup.svelte'

it('takes a name that was pasted with blanks around it', () => {
  const call = vi.spyOn(api, 'call').mockReturnValue(new Promise(() => {}))
  const component = mount(Setup, { target: document.body, props: { token: 'T' } })
  flushSync()
  const texts = [' ada ', 'correct horse battery', 'correct horse battery']
  for (const [at, field] of document.querySelectorAll('input').entries()) {
    field.value = texts[at] ?? ''
    field.dispatchEvent(new Event('input', { bubbles: true }))
  }
  flushSync()
  document.querySelector<HTMLButtonElement>('form .first')?.click()
  const [, , body] = call.mock.calls[0] ?? []
  expect(body).toEqual({ token: 'T', username: 'ada', password: 'correct horse battery' })
  void unmount(component)
})
