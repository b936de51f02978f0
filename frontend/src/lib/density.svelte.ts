export const densities = ['normal', 'compact'] as const
export type Density = (typeof densities)[number]

const key = 'topdeck.density'
/** The height of a line where nobody has asked for larger text, in pixels: of 13, as app.css has it, 1.45 times. */
const line = 18.85

/** How close the rows of tables stand, as chosen in this browser, and how large the text in them is. */
class RowDensity {
  #chosen = $state<Density>('normal')

  /** How many times as large as usual the text is, by the settings of the browser or because nothing but text is zoomed. */
  grown = $state(1)

  /** The height of one row, in pixels. */
  readonly height = $derived(this.high(this.#chosen === 'compact' ? 21 : 26))

  /** The height of one row where a list takes the place of a table, of two lines or of up to four, in pixels. */
  list(tall: boolean): number {
    const usual = tall ? 78 : 52
    return this.high(this.#chosen === 'compact' ? usual - 8 : usual)
  }

  start() {
    this.chosen = localStorage.getItem(key) === 'compact' ? 'compact' : 'normal'
    const probe = document.body.appendChild(document.createElement('i'))
    Object.assign(probe.style, { position: 'fixed', visibility: 'hidden', height: '1lh' })
    new ResizeObserver(([seen]) => {
      this.grown = Math.max(1, (seen?.contentRect.height ?? line) / line)
    }).observe(probe)
  }

  /** How high what holds text is that is so high where text is as large as usual; both in pixels. */
  high(usual: number): number {
    return Math.round(usual * this.grown)
  }

  get chosen(): Density {
    return this.#chosen
  }

  set chosen(density: Density) {
    this.#chosen = density
    localStorage.setItem(key, density)
  }
}

export const density = new RowDensity()
