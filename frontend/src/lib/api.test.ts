import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Api, ApiError } from './api'

const json = (status: number, body: unknown) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } })
const refusal = (status: number, code: string, position?: number) =>
  json(status, { error: { code, message: 'why', position } })

let api: Api
const fetched = vi.fn<typeof fetch>()

beforeEach(() => {
  api = new Api()
  fetched.mockReset()
  vi.stubGlobal('fetch', fetched)
})

describe('a call', () => {
  it('speaks JSON both ways', async () => {
    fetched.mockResolvedValue(json(200, { a: 1 }))
    expect(await api.call('POST', '/x', { b: 2 })).toEqual({ a: 1 })
    const [url, init] = fetched.mock.calls[0] ?? []
    expect(url).toBe('/api/v1/x')
    expect(init).toMatchObject({
      method: 'POST',
      body: '{"b":2}',
      headers: { 'Content-Type': 'application/json' },
    })
  })

  it('may be answered with nothing', async () => {
    fetched.mockResolvedValue(new Response(null, { status: 204 }))
    expect(await api.call('DELETE', '/x')).toBeUndefined()
  })

  it('fails with the code, the words and the place of a refusal', async () => {
    fetched.mockResolvedValue(refusal(400, 'invalid', 4))
    await expect(api.call('GET', '/x')).rejects.toMatchObject({
      code: 'invalid',
      message: 'why',
      position: 4,
    })
  })

  it('tells that a code must come with the password', async () => {
    const error = { code: 'unauthenticated', message: 'why', secondFactor: true }
    fetched.mockResolvedValueOnce(json(401, { error }))
    fetched.mockResolvedValueOnce(refusal(401, 'unauthenticated'))
    const asked = { secondFactor: true }
    await expect(api.call('POST', '/session')).rejects.toMatchObject(asked)
    await expect(api.call('POST', '/session')).rejects.not.toMatchObject(asked)
  })

  it.each(['before it begins', 'before it ends'])(
    'that is not answered in time, %s, did not reach the server',
    async (when) => {
      fetched.mockImplementation((_, init) => {
        const cut = new Promise<never>((_, fail) =>
          init?.signal?.addEventListener('abort', () => fail(new DOMException('', 'TimeoutError'))),
        )
        const body = { status: 200, ok: true, json: () => cut } as unknown as Response
        return when === 'before it begins' ? cut : Promise.resolve(body)
      })
      const call = api.call('GET', '/x', undefined, { within: 20 })
      await expect(call).rejects.toMatchObject({ code: 'unreachable' })
    },
  )

  it.each([
    ['nothing answers', () => Promise.reject(new TypeError('fetch failed')), 'unreachable'],
    [
      'a proxy says that the server is gone',
      () => Promise.resolve(new Response('<html>', { status: 502 })),
      'unreachable',
    ],
    ['something else answers', () => Promise.resolve(new Response('<html>')), 'unreadable'],
    ['an error has no code', () => Promise.resolve(json(500, { oops: true })), 'unreadable'],
  ])('tells when %s', async (_, answer, code) => {
    fetched.mockImplementation(answer)
    await expect(api.call('GET', '/x')).rejects.toMatchObject({ code })
  })

  it('ends the session when the server knows of none', async () => {
    api.onEnded = vi.fn()
    fetched.mockImplementation(() => Promise.resolve(refusal(401, 'unauthenticated')))
    await expect(api.call('POST', '/session', {}, { signingIn: true })).rejects.toThrow(ApiError)
    expect(api.onEnded).not.toHaveBeenCalled()
    await expect(api.call('GET', '/host')).rejects.toThrow(ApiError)
    expect(api.onEnded).toHaveBeenCalledExactlyOnceWith('why')
  })
})

describe('a call that needs the password again', () => {
  it('is made once more when it was given', async () => {
    api.onReauthenticate = vi.fn(() => Promise.resolve(true))
    fetched
      .mockResolvedValueOnce(refusal(403, 'reauthenticate'))
      .mockResolvedValueOnce(json(200, { ok: true }))
    expect(await api.call('GET', '/users')).toEqual({ ok: true })
    expect(fetched).toHaveBeenCalledTimes(2)
  })

  it('fails when it was not', async () => {
    fetched.mockResolvedValue(refusal(403, 'reauthenticate'))
    await expect(api.call('GET', '/users')).rejects.toMatchObject({ code: 'reauthenticate' })
    expect(fetched).toHaveBeenCalledOnce()
  })

  it('fails at once where nobody waits for it', async () => {
    api.onReauthenticate = vi.fn(() => Promise.resolve(true))
    fetched.mockResolvedValue(refusal(403, 'reauthenticate'))
    const asked = api.call('GET', '/users', undefined, { unasked: true })
    await expect(asked).rejects.toMatchObject({ code: 'reauthenticate' })
    expect(api.onReauthenticate).not.toHaveBeenCalled()
  })

  it('does not ask for ever', async () => {
    api.onReauthenticate = vi.fn(() => Promise.resolve(true))
    fetched.mockImplementation(() => Promise.resolve(refusal(403, 'reauthenticate')))
    await expect(api.call('GET', '/users')).rejects.toMatchObject({ code: 'reauthenticate' })
    expect(api.onReauthenticate).toHaveBeenCalledOnce()
  })
})
