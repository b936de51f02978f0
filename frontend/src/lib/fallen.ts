import type { Service } from './wire.gen'

/** Who fails soon after another is told together with it; and after what was told there is quiet. In milliseconds. */
const together = 2_000
const quiet = 30_000

/** What must be known of a service. */
type Standing = Pick<Service, 'name' | 'activeState'>

/**
 * Tells which services have failed by themselves while one looks on: once, together where they are many. Of what somebody
 * did, its own record tells.
 */
export class Fallen<One extends Standing> {
  #fresh = new Map<string, One>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #next = 0
  #acted: (name: string) => boolean
  #tell: (services: readonly One[]) => void

  /** acted tells whether somebody is, or was just, at a service. */
  constructor(acted: (name: string) => boolean, tell: (services: readonly One[]) => void) {
    this.#acted = acted
    this.#tell = tell
  }

  /** A service as it is now, and as it was before, where it was known. */
  saw(service: One, before: One | undefined) {
    const { name, activeState } = service
    // It may be up again before it is told.
    if (activeState !== 'failed') this.#fresh.delete(name)
    else if (before?.activeState !== 'failed' && !this.#acted(name)) {
      this.#fresh.set(name, service)
      this.#timer ??= setTimeout(() => this.#due(), Math.max(together, this.#next - Date.now()))
    }
  }

  close() {
    clearTimeout(this.#timer)
  }

  #due() {
    this.#timer = undefined
    const services = [...this.#fresh.values()].filter(({ name }) => !this.#acted(name))
    this.#fresh.clear()
    if (services.length === 0) return
    this.#next = Date.now() + quiet
    this.#tell(services)
  }
}
