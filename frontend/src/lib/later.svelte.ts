import { untrack } from 'svelte'
import { live } from './app.svelte'

/**
 * A part of the app that is fetched by the component that makes this; where that failed, once more whenever the connection
 * is back, and when it is asked for.
 */
export class Later<Part> {
  part = $state.raw<Part | null>(null)
  failed = $state(false)
  #load: () => Promise<Part>
  #connected = $derived(live.state === 'live')

  constructor(load: () => Promise<Part>) {
    this.#load = load
    $effect(() => {
      void this.#connected
      if (untrack(() => this.part === null)) void this.fetch()
    })
  }

  async fetch() {
    try {
      this.part = await this.#load()
    } catch {
      this.failed = this.part === null
    }
  }
}
