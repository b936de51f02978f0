import { afterEach, describe, expect, it } from 'vitest'
import { ApiError } from './api'
import { explain, sentence } from './explain'
import { i18n } from './i18n.svelte'

afterEach(() => (i18n.language = 'en'))

describe('a sentence', () => {
  it.each([
    ['there is already a user vera', 'There is already a user vera.'],
    ['this is all.', 'This is all.'],
    ['nginx.service failed', 'nginx.service failed.'],
    ['startTime is missing', 'startTime is missing.'],
    ['Gone!', 'Gone!'],
    ['', ''],
  ])('%j is told as %j', (text, told) => expect(sentence(text)).toBe(told))
})

describe('a refusal', () => {
  const taken = new ApiError('conflict', 'there is already a user vera')

  it('is the server’s own sentence, and nothing twice', () => {
    expect(explain(taken)).toEqual({ title: 'There is already a user vera.', detail: '' })
  })

  it('is told in the other language first', () => {
    i18n.language = 'zh'
    expect(explain(taken)).toEqual({
      title: '与当前状态冲突。',
      detail: 'There is already a user vera.',
    })
  })

  it('of a sign-in is of the code, or of the name and the password', () => {
    const code = new ApiError('unauthenticated', 'the code is wrong', undefined, true)
    expect(explain(code, true).title).toBe(i18n.t.factor.codeWrong)
    expect(explain(new ApiError('unauthenticated'), true).title).toBe(i18n.t.login.wrong)
  })

  it('is our own sentence where the server said nothing', () => {
    expect(explain(new ApiError('unreachable')).title).toBe('The server does not answer.')
    expect(explain(new ApiError('unreadable', '502')).title).toMatch(/^Something other/)
  })
})
