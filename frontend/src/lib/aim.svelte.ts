import { isSelectedIn } from './selection'

/** Whoever has not moved for so long is looking, not aiming. In milliseconds. */
const aimTime = 30_000
const touchTime = 4_000

/**
 * Whether somebody aims at a row of a table, with the pointer or by keys, or has selected text in one, which would not
 * survive that the row moves. For the component that makes this.
 */
export class Aim {
  #pointing = $state(false)
  #keying = $state(false)
  #selecting = $state(false)
  readonly aiming = $derived(this.#pointing || this.#keying || this.#selecting)

  #pointed: ReturnType<typeof setTimeout> | undefined
  #keyed: ReturnType<typeof setTimeout> | undefined

  constructor(rows: () => Element | undefined) {
    $effect(() => {
      const select = () => (this.#selecting = isSelectedIn(rows()))
      document.addEventListener('selectionchange', select)
      return () => document.removeEventListener('selectionchange', select)
    })
    $effect(() => () => {
      clearTimeout(this.#pointed)
      clearTimeout(this.#keyed)
    })
  }

  readonly point = ({ target, pointerType }: PointerEvent) => {
    clearTimeout(this.#pointed)
    this.#pointing = target instanceof Element && !target.closest('thead')
    if (!this.#pointing) return
    const time = pointerType === 'touch' ? touchTime : aimTime
    this.#pointed = setTimeout(() => (this.#pointing = false), time)
  }

  readonly unpoint = ({ pointerType }: PointerEvent) => {
    // A finger leaves when it is lifted; what it aims at is the next tap.
    if (pointerType !== 'touch') this.#pointing = false
  }

  /** A key led to a row. */
  key() {
    clearTimeout(this.#keyed)
    this.#keying = true
    this.#keyed = setTimeout(() => (this.#keying = false), aimTime)
  }

  readonly unfocus = ({ relatedTarget, currentTarget }: FocusEvent) => {
    const within = currentTarget instanceof Node && relatedTarget instanceof Node
    if (within && !currentTarget.contains(relatedTarget)) this.#keying = false
  }
}
