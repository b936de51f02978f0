import type { Figure } from './list.svelte'
import type { Live, Watching } from './live.svelte'
import type { DeltaMessage, Process, SnapshotMessage } from './wire.gen'

/** What a process used at one moment. */
export interface Usage {
  /** Milliseconds of Date.now(). */
  at: number
  cpuPercent: number
  /** Null where nobody looked at it yet. */
  rss: number | null
}

/** How a process ended, where that is known. */
export interface End {
  exitCode: number | null
  signal: number | null
}

const span = 15 * 60_000
const remembered = 50

/** What was seen of processes that were looked at, by pid:startTime; the one looked at last is the last. */
const seen = new Map<string, Usage[]>()

/** Follows one process: its row, what it used while one looked, and its end. */
export class ProcessWatch {
  row = $state.raw<Process | null>(null)
  /** Oldest first; a gap in time is one in what was seen. */
  usage = $state.raw<readonly Usage[]>([])
  /** Set when it has ended. */
  end = $state.raw<End | null>(null)

  #key: string
  #watching: Watching

  /** key is pid:startTime, past its load as a list knows it already. */
  constructor(live: Live, key: string, past: readonly Figure[]) {
    this.#key = key
    const known = seen.get(key) ?? []
    const last = known.at(-1)?.at ?? 0
    const before = past.filter(({ at }) => at > last)
    this.usage = [
      ...known,
      ...before.map(({ at, value }) => ({ at, cpuPercent: value, rss: null })),
    ]
    this.#watching = live.watch<Process>(
      { topic: 'processes', q: `pid:${key.split(':')[0]}` },
      {
        snapshot: (message) => this.#replaced(message),
        delta: (message) => this.#changed(message),
      },
    )
  }

  close() {
    this.#watching.close()
  }

  #mine = (row: Process) => `${row.pid}:${row.startTime}` === this.#key

  #replaced({ rows, time }: SnapshotMessage<Process>) {
    const row = rows.find(this.#mine)
    if (row) this.#add(row, time)
    else this.end ??= { exitCode: null, signal: null }
  }

  #changed({ upsert, remove, ended, time }: DeltaMessage<Process>) {
    const row = upsert.find(this.#mine)
    const end = ended.find(({ key }) => key === this.#key)
    if (end) this.end = { exitCode: end.exitCode, signal: end.signal }
    else if (remove.includes(this.#key)) this.end ??= { exitCode: null, signal: null }
    // Nothing is told of a row that did not change.
    else if (this.row) this.#add(row ?? this.row, time)
  }

  #add(row: Process, time: string) {
    this.row = row
    const at = Date.parse(time)
    const { cpuPercent, rss } = row
    const before = this.usage.filter((point) => point.at < at && at - point.at <= span)
    const usage = [...before, { at, cpuPercent, rss }]
    this.usage = usage
    seen.delete(this.#key)
    seen.set(this.#key, usage)
    const [oldest] = seen.keys()
    if (seen.size > remembered && oldest !== undefined) seen.delete(oldest)
  }
}
