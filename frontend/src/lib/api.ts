import type { ErrorReply } from './wire.gen'

/** The contract's codes, and two of our own: the server could not be reached; its answer could not be read. */
export type ErrorCode =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'reauthenticate'
  | 'not_found'
  | 'conflict'
  | 'gone'
  | 'too_many'
  | 'unavailable'
  | 'internal'
  | 'unreachable'
  | 'unreadable'

/**
 * A refusal. The message is the server's own words; position is where in a query the trouble starts; of a sign-in,
 * secondFactor tells that the password is right and a right code must come with it.
 */
export class ApiError extends Error {
  constructor(
    readonly code: ErrorCode,
    message = '',
    readonly position?: number,
    readonly secondFactor = false,
  ) {
    super(message)
  }
}

/** What any failed call comes down to; a mistake of our own is thrown on. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  throw error
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

export interface CallOptions {
  /** The session is what is being asked for: a refusal of it is an answer, not the end of a session. */
  signingIn?: boolean
  /** Nobody waits for the answer: nobody is asked for the password because of it. */
  unasked?: boolean
  /** How long an answer is waited for, in milliseconds. */
  within?: number
}

/** What is not answered for so long got lost on its way: no answer takes that long. In milliseconds. */
const answerLimit = 30_000

/** The HTTP half of the contract: JSON both ways, refusals as ApiError. */
export class Api {
  /** Called when the server says that nobody is signed in, in its words. */
  onEnded: (why: string) => void = () => {}
  /** Called when the server could not be reached. */
  onUnreachable = () => {}
  /** Asks for the password again; resolves to whether it was given. */
  onReauthenticate = () => Promise.resolve(false)

  async call<T>(
    method: Method,
    path: string,
    body?: unknown,
    options: CallOptions = {},
  ): Promise<T> {
    try {
      return await this.#once<T>(method, path, body, options)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      if (error.code === 'unreachable') this.onUnreachable()
      if (error.code === 'unauthenticated' && !options.signingIn) this.onEnded(error.message)
      if (error.code !== 'reauthenticate' || options.unasked) throw error
      if (!(await this.onReauthenticate())) throw error
      return this.#once<T>(method, path, body, options)
    }
  }

  async #once<T>(method: Method, path: string, body: unknown, options: CallOptions): Promise<T> {
    const signal = AbortSignal.timeout(options.within ?? answerLimit)
    let response: Response
    try {
      response = await fetch('/api/v1' + path, {
        method,
        headers: { 'Content-Type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
        signal,
        cache: 'no-store',
      })
    } catch {
      throw new ApiError('unreachable')
    }
    if (response.status === 204) return undefined as T
    let answer: unknown
    try {
      answer = await response.json()
    } catch {
      // It broke off; or a proxy in between answers in HTML when the server behind it is gone.
      const away = signal.aborted || response.status >= 502
      throw new ApiError(away ? 'unreachable' : 'unreadable', `${response.status}`)
    }
    if (response.ok) return answer as T
    const refusal = (answer as Partial<ErrorReply>).error
    if (!refusal?.code) throw new ApiError('unreadable', `${response.status}`)
    throw new ApiError(
      refusal.code as ErrorCode,
      refusal.message,
      refusal.position,
      refusal.secondFactor,
    )
  }
}

export const api = new Api()
