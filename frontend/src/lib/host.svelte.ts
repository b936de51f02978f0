import { asApiError } from './api'
import type { Api, ApiError } from './api'
import type { Host } from './wire.gen'

/** The facts of the host. Nothing of it is pushed: whoever shows it asks for it again from time to time. */
export class HostFacts {
  facts = $state.raw<Host | null>(null)
  failure = $state.raw<ApiError | null>(null)

  #api: Api
  #asking: Promise<void> | null = null

  constructor(api: Api) {
    this.#api = api
  }

  /** Asks for them. Who does so while an answer is awaited waits for that one. */
  load(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = null))
    return this.#asking
  }

  async #ask() {
    try {
      this.facts = await this.#api.call<Host>('GET', '/host')
      this.failure = null
    } catch (error) {
      this.failure = asApiError(error)
    }
  }

  /** Somebody else may sign in next. */
  forget() {
    this.facts = this.failure = this.#asking = null
  }
}
