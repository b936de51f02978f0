import { beforeEach, describe, expect, it, vi } from 'vitest'
import { ApiError } from './api'
import type { Api } from './api'
import { Session } from './session.svelte'
import type { Role } from './session.svelte'
import type { SessionReply } from './wire.gen'
import { isPassword, isUserName, takeToken } from './setup'

const call = vi.fn<(method: string, path: string, body?: object) => Promise<unknown>>()
let session: Session

const reply = (role: Role, mustEnrol = false): SessionReply => ({
  username: 'ada',
  role,
  expiresAt: '2026-03-14T10:00:00Z',
  mustEnrol,
})

/** Has the server say who is signed in. */
const signedIn = (who: SessionReply | null) =>
  call.mockImplementation((_, path) => Promise.resolve(path === '/entry' ? { session: who } : who))

beforeEach(() => {
  call.mockReset()
  session = new Session({ call } as unknown as Api)
})

describe('a session', () => {
  it.each([
    ['unavailable', 'empty'],
    ['unreachable', 'failed'],
    ['internal', 'failed'],
  ] as const)('that is answered with %s is %s', async (code, state) => {
    call.mockRejectedValue(new ApiError(code))
    await session.load()
    expect(session.state).toBe(state)
  })

  it('of nobody is out', async () => {
    signedIn(null)
    await session.load()
    expect(session).toMatchObject({ state: 'out', user: null, ended: '' })
  })

  it('is in, until it is left', async () => {
    signedIn(reply('operator'))
    await session.load()
    expect(session).toMatchObject({ state: 'in', user: { username: 'ada' }, ended: '' })
    await session.logout()
    expect(session).toMatchObject({ state: 'out', user: null, ended: '' })
  })

  it.each([
    ['another role', 'ada', 'viewer', 'admin'],
    ['the same role', 'ada', 'admin', ''],
    ['another user', 'grace', 'viewer', ''],
  ] as const)(
    'that ended, and is followed by one of %s, tells the role that was',
    async (_, username, role, was) => {
      signedIn(reply('admin'))
      await session.load()
      session.leave(true)
      session.enter({ ...reply(role), username })
      expect(session.formerRole).toBe(was)
      await session.logout()
      session.enter(reply('operator'))
      expect(session.formerRole).toBe('')
    },
  )

  it('that its user ends is not said to have ended by itself, whoever tells of it first', async () => {
    signedIn(reply('viewer'))
    await session.load()
    call.mockImplementation(() => {
      session.leave(true)
      return Promise.resolve()
    })
    await session.logout()
    expect(session).toMatchObject({ state: 'out', user: null, ended: '' })
    signedIn(reply('viewer'))
    await session.load()
    session.leave(true)
    expect(session.ended).toBe('ada')
  })

  it('that ended by itself says whose it was and why, until the next', async () => {
    signedIn(reply('viewer'))
    await session.load()
    session.leave(true, 'your password was changed')
    session.leave(true, 'sign in first')
    expect(session).toMatchObject({ ended: 'ada', why: 'your password was changed' })
    await session.login('ada', 'secret')
    expect(session).toMatchObject({ state: 'in', ended: '', why: '' })
    session.leave(true, 'sign in first')
    expect(session).toMatchObject({ ended: 'ada', why: '' })
  })

  it('that ended while the page was away says why', async () => {
    call.mockResolvedValue({ session: null, ended: 'your role was changed' })
    await session.load()
    expect(session).toMatchObject({ state: 'out', ended: '', why: 'your role was changed' })
  })

  it.each([
    ['viewer', [true, false, false]],
    ['operator', [true, true, false]],
    ['admin', [true, true, true]],
  ] as const)('of a %s may what the role includes', async (role, may) => {
    expect(session.can('viewer')).toBe(false)
    signedIn(reply(role))
    await session.load()
    expect((['viewer', 'operator', 'admin'] as const).map((wanted) => session.can(wanted))).toEqual(
      may,
    )
  })

  it('that can do nothing without a second factor is so until there is one, or it is left', async () => {
    signedIn(reply('admin', true))
    await session.load()
    expect(session).toMatchObject({ state: 'enrolling', user: { username: 'ada' } })
    signedIn(reply('admin'))
    await session.load()
    expect(session.state).toBe('in')
    session.enter(reply('admin', true))
    session.leave(true)
    expect(session).toMatchObject({ state: 'out', user: null, ended: 'ada' })
  })

  it('is begun with a code only where there is one', async () => {
    signedIn(reply('admin'))
    await session.login('ada', 'secret')
    await session.login('ada', 'secret', '123456')
    expect(call.mock.calls.map(([, , body]) => body)).toEqual([
      { username: 'ada', password: 'secret' },
      { username: 'ada', password: 'secret', code: '123456' },
    ])
  })

  it('has its warning for as long as the server tells it', async () => {
    signedIn({ ...reply('admin'), warning: 'kept in memory' })
    await session.load()
    expect(session.user?.warning).toBe('kept in memory')
    signedIn(reply('admin'))
    await session.keep()
    expect(session.user?.warning).toBeUndefined()
  })

  it('takes another role at once', async () => {
    signedIn(reply('admin'))
    await session.load()
    session.confirm('ada', 'viewer')
    expect(session.can('operator')).toBe(false)
  })
})

describe('the set-up token', () => {
  it('is taken out of the address', () => {
    history.replaceState(null, '', '/setup#token=ABC')
    expect(takeToken()).toBe('ABC')
    expect(location.href).not.toContain('ABC')
    expect(takeToken()).toBeNull()
  })
})

describe('the rules', () => {
  it.each([
    ['ada', true],
    ['_x.y-2', true],
    ['a'.repeat(32), true],
    ['a'.repeat(33), false],
    ['Ada', false],
    ['2ada', false],
    ['', false],
    ['a b', false],
  ])('for the name %j', (name, good) => expect(isUserName(name)).toBe(good))

  it.each([
    ['x'.repeat(11), false],
    ['x'.repeat(12), true],
    ['😀'.repeat(11), false],
    ['😀'.repeat(256), true],
    ['x'.repeat(257), false],
  ])('for the password %#', (password, good) => expect(isPassword(password)).toBe(good))
})
