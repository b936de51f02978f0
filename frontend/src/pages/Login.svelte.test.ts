import { flushSync, mount, unmount } from 'svelte'
import { afterEach, expect, it } from 'vitest'
import { session } from '../lib/app.svelte'
import { i18n } from '../lib/i18n.svelte'
import Login from './Login.svelte'

let component: object

function open() {
  component = mount(Login, { target: document.body })
  flushSync()
}

function endedFor(why: string) {
  session.enter({
    username: 'ada',
    role: 'admin',
    expiresAt: '2026-03-14T10:00:00Z',
    mustEnrol: false,
  })
  session.leave(true, why)
  open()
}

const said = () => document.querySelector('.note')?.textContent

afterEach(() => {
  void unmount(component)
  session.why = session.ended = ''
  i18n.language = 'en'
})

it.each([
  [
    'an administrator ended your session',
    'Your session has ended. An administrator ended your session. Sign in again to go on where you were.',
  ],
  ['your account was removed', 'Your session has ended. Your account was removed.'],
  ['sign in first', 'Your session has ended. Sign in again to go on where you were.'],
  ['', 'Your session has ended. Sign in again to go on where you were.'],
])('says why the session ended, where that is known: %s', (why, words) => {
  endedFor(why)
  expect(said()).toBe(words)
})

it('says it in Chinese', async () => {
  i18n.language = 'zh'
  await i18n.learn()
  endedFor('your session was not used for 30 minutes')
  expect(said()).toBe('会话已结束。会话已有 30 分钟未使用。重新登录后可继续之前的操作。')
})

it('says it to who comes back later, too', () => {
  session.why = 'your role was changed'
  open()
  expect(said()).toContain('Your session has ended. Your role was changed.')
})

it('says nothing where no session ended', () => {
  open()
  expect(said()).toBeUndefined()
})
