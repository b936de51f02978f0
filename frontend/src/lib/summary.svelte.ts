import { asApiError } from './api'
import type { Api } from './api'
import { coresOf, CoresTrend } from './cores'
import type { CoresMoment } from './cores'
import type { Live, Watching } from './live.svelte'
import type { HistoryReply, Point, SummaryReply } from './wire.gen'

/** As much as the server keeps. */
const span = 15 * 60_000

/** A point of the history with its time in milliseconds of Date.now(). */
export type Moment = Point & { at: number }

/** The host's summary: the newest reading, and the last minutes for the graphs. Watched while a page shows it. */
export class SummaryStore {
  now = $state.raw<SummaryReply | null>(null)
  /** Oldest first. A gap in time is a gap in what is known. */
  points = $state.raw<readonly Moment[]>([])
  /** How busy each core was, oldest first: a point every ten seconds. */
  cores = $state.raw<readonly CoresMoment[]>([])
  /** Seconds between two readings. */
  interval = $state(1)

  #live: Live
  #api: Api
  #watching: Watching | null = null
  #users = 0
  #coresTrend = new CoresTrend()

  constructor(live: Live, api: Api) {
    this.#live = live
    this.#api = api
  }

  /** Watches until the function that it returns is called. */
  use(): () => void {
    this.#users++
    this.#watching ??= this.#live.watch(
      { topic: 'summary' },
      {
        summary: (message) => {
          // The first, and one that comes after others were missed.
          const missed = Date.parse(message.time) - (this.points.at(-1)?.at ?? 0)
          if (missed > this.interval * 2500) void this.#catchUp()
          this.now = message
          this.#add([toPoint(message)])
          this.cores = this.#coresTrend.add(Date.parse(message.time), message.cores)
        },
      },
    )
    return () => {
      if (--this.#users > 0) return
      this.#watching?.close()
      this.#watching = null
    }
  }

  /** Somebody else may sign in next. */
  forget() {
    this.now = null
    this.points = []
    this.cores = []
    this.#coresTrend = new CoresTrend()
  }

  async #catchUp() {
    try {
      const history = await this.#api.call<HistoryReply>('GET', '/summary/history')
      this.interval = history.interval
      this.#add(history.points)
      this.cores = coresOf(history.points)
      this.#coresTrend.begin(this.cores)
    } catch (error) {
      // The graphs then begin with what is pushed.
      asApiError(error)
    }
  }

  #add(points: readonly Point[]) {
    const timed = points.map((point) => ({ ...point, at: Date.parse(point.time) }))
    const [first] = timed
    const last = this.points.at(-1)
    if (!first) return
    // A reading a second: the common case is one more at the end.
    const all = !last || last.at < first.at ? [...this.points, ...timed] : merge(this.points, timed)
    const end = all.at(-1)?.at ?? first.at
    this.points = all.filter(({ at }) => end - at <= span)
  }
}

/** Joins two runs of points by time; of two at one time the first run's stays. */
function merge(a: readonly Moment[], b: readonly Moment[]): Moment[] {
  const byTime = new Map([...b, ...a].map((point) => [point.at, point]))
  return [...byTime.values()].sort((x, y) => x.at - y.at)
}

function toPoint(s: SummaryReply): Point {
  const sum = <Row>(rows: readonly Row[], of: (row: Row) => number) =>
    rows.reduce((total, row) => total + of(row), 0)
  const outer = s.interfaces.filter(({ name }) => name !== 'lo')
  return {
    time: s.time,
    cpu: s.cpu,
    memory: s.memory,
    swap: s.swap,
    load: s.load,
    pressure: s.pressure,
    readBytesPerSecond: sum(s.disks, (d) => d.readBytesPerSecond),
    writeBytesPerSecond: sum(s.disks, (d) => d.writeBytesPerSecond),
    receiveBytesPerSecond: sum(outer, (i) => i.receiveBytesPerSecond),
    transmitBytesPerSecond: sum(outer, (i) => i.transmitBytesPerSecond),
  }
}
