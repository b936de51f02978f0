export const densities = ['normal', 'compact'] as const
export type Density = (typeof densities)[number]

const key = 'topdeck.density'

/** How close the rows of tables stand, as chosen in this browser. */
class RowDensity {
  #chosen = $state<Density>('normal')

  /** The height of one row, in pixels: --row in app.css is the same. */
  readonly height = $derived(this.#chosen === 'compact' ? 21 : 26)

  start() {
    this.chosen = localStorage.getItem(key) === 'compact' ? 'compact' : 'normal'
  }

  get chosen(): Density {
    return this.#chosen
  }

  set chosen(density: Density) {
    this.#chosen = density
    localStorage.setItem(key, density)
    document.documentElement.dataset.density = density
  }
}

export const density = new RowDensity()
