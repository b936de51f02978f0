import type { Point } from './wire.gen'

/** How busy each core was over the seconds before a time, in percent. */
export interface CoresMoment {
  /** In milliseconds of Date.now(). */
  at: number
  busy: readonly number[]
}

/** As the server does. */
const step = 10_000
/** Steps of a trend; fifteen minutes. */
const steps = 90

export function coresOf(points: readonly Point[]): CoresMoment[] {
  return points.flatMap(({ time, cores }) => (cores ? [{ at: Date.parse(time), busy: cores }] : []))
}

/** Goes on where the server's history ended: makes of readings what the history has, one moment a step. */
export class CoresTrend {
  #past: readonly CoresMoment[] = []
  #since = 0
  #sum: number[] = []
  #readings = 0

  /** Takes the place of all that was known. */
  begin(past: readonly CoresMoment[]) {
    this.#past = past
    this.#since = past.at(-1)?.at ?? 0
    this.#sum = []
    this.#readings = 0
  }

  add(at: number, busy: readonly number[]): readonly CoresMoment[] {
    if (this.#since === 0) this.#since = at
    this.#sum = busy.map((share, i) => share + (this.#sum[i] ?? 0))
    this.#readings++
    if (at - this.#since < step) return this.#past
    const mean = this.#sum.map((sum) => Math.round(sum / this.#readings))
    const first = this.#past.findIndex((moment) => at - moment.at < step * steps)
    this.begin([...(first < 0 ? [] : this.#past.slice(first)), { at, busy: mean }])
    return this.#past
  }
}

/**
 * The trend of one core that ends with a reading, as the path of an area in a box of 90 by 100, one across for each step.
 * Where nothing is known for longer than a step there is a gap.
 */
export function trendPath(
  past: readonly CoresMoment[],
  core: number,
  now: number,
  at: number,
): string {
  const height = (busy: number) => 100 - Math.round(Math.min(100, Math.max(0, busy)))
  let path = ''
  let before = -1
  for (const moment of past) {
    const x = steps - Math.round((at - moment.at) / step)
    const busy = moment.busy[core]
    if (x < 0 || x <= before || busy === undefined) continue
    if (before < 0) path += `M${x} 100`
    else if (x > before + 2) path += `L${before} 100ZM${x} 100`
    path += `L${x} ${height(busy)}`
    before = x
  }
  if (before < 0) return `M${steps - 1} 100V${height(now)}H${steps}V100Z`
  if (before < steps - 2) path += `L${before} 100ZM${steps - 1} 100`
  return `${path}L${steps} ${height(now)}L${steps} 100Z`
}
