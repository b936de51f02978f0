import type { Entry, Group, Line, Trend, End } from './entry'
import type { Process } from './wire.gen'

// Processes as trees. The lines keep the order of the entries among those that stand side by side.

/** An entry at its place in a tree. */
class Leaf<Row> implements Line<Row> {
  readonly key: string
  readonly row: Row
  readonly since: number
  readonly end: End | null
  readonly trend: Trend | null
  readonly group = null

  constructor(
    readonly entry: Entry<Row>,
    readonly depth: number,
    readonly open: boolean | null,
  ) {
    this.key = entry.key
    this.row = entry.row
    this.since = entry.since
    this.end = entry.end
    this.trend = entry.trend
  }
}

/**
 * Makes the lines of a tree, reading after reading. A line that is what it was stays the same object: then nothing of it is
 * drawn again.
 */
export class Trees {
  #before = new Map<string, Leaf<Process>>()

  /** Below each process those that it is the parent of. */
  byParent(entries: readonly Entry<Process>[], turned: ReadonlySet<string>): Line<Process>[] {
    const parents = new Map<number, Entry<Process>>()
    for (const entry of entries) if (!entry.end) parents.set(entry.row.pid, entry)
    const roots: Entry<Process>[] = []
    const below = new Map<string, Entry<Process>[]>()
    for (const entry of entries) {
      const parent = parents.get(entry.row.ppid)
      if (parent && parent !== entry) add(below, parent.key, entry)
      else roots.push(entry)
    }
    const lines: Line<Process>[] = []
    const next = new Map<string, Leaf<Process>>()
    // By hand and not by recursion: how deep processes stand is their users' choice.
    const waiting = roots.map((entry) => ({ entry, depth: 0 })).reverse()
    for (let at = waiting.pop(); at; at = waiting.pop()) {
      const { entry, depth } = at
      const children = below.get(entry.key)
      const open = children ? !turned.has(entry.key) : null
      lines.push(this.#leaf(entry, depth, open, next))
      if (!children || !open) continue
      for (const child of children.toReversed()) waiting.push({ entry: child, depth: depth + 1 })
    }
    this.#before = next
    return lines
  }

  /** Slices, in them units, in those their processes, folded away; after them the processes of no unit. */
  byUnit(entries: readonly Entry<Process>[], turned: ReadonlySet<string>): Line<Process>[] {
    const root = new Branch('', 'slice')
    for (const entry of entries) {
      let branch = root
      for (const slice of slicesOf(entry.row.slice)) branch = branch.at(slice, 'slice')
      if (entry.row.unit !== '') branch = branch.at(entry.row.unit, 'unit')
      branch.entries.push(entry)
    }
    const lines: Line<Process>[] = []
    const next = new Map<string, Leaf<Process>>()
    const walk = (branch: Branch, depth: number) => {
      for (const inner of branch.branches()) {
        // Of a unit one sees the sums first; its processes when one asks for them.
        const open = turned.has(inner.key) === (inner.kind === 'unit')
        lines.push(inner.line(depth, open))
        if (open) walk(inner, depth + 1)
      }
      for (const entry of branch.entries) lines.push(this.#leaf(entry, depth, null, next))
    }
    walk(root, 0)
    this.#before = next
    return lines
  }

  #leaf(
    entry: Entry<Process>,
    depth: number,
    open: boolean | null,
    next: Map<string, Leaf<Process>>,
  ): Line<Process> {
    let leaf = this.#before.get(entry.key)
    if (!leaf || leaf.entry !== entry || leaf.depth !== depth || leaf.open !== open)
      leaf = new Leaf(entry, depth, open)
    next.set(entry.key, leaf)
    return leaf
  }
}

/** The processes that are below a line of either tree, folded away or not, and its own. */
export function below(
  entries: readonly Entry<Process>[],
  { key, row, group }: Line<Process>,
): Entry<Process>[] {
  const living = entries.filter(({ end }) => !end)
  if (group) return living.filter((entry) => `${branchOf(entry.row)}/`.startsWith(`${key}/`))
  const found = living.filter((entry) => entry.key === key)
  const pids = new Set([row.pid])
  const children = new Map<number, Entry<Process>[]>()
  for (const entry of living) {
    const beside = children.get(entry.row.ppid)
    if (beside) beside.push(entry)
    else children.set(entry.row.ppid, [entry])
  }
  for (const pid of pids)
    for (const child of children.get(pid) ?? []) {
      if (pids.has(child.row.pid)) continue
      pids.add(child.row.pid)
      found.push(child)
    }
  return found
}

/** The key of the group that a process is in. */
function branchOf({ slice, unit }: Process): string {
  return ['', '', ...slicesOf(slice), ...(unit === '' ? [] : [unit])].join('/')
}

/** The slices that a slice is in, from the outermost, and itself: systemd.slice(5) tells them by its name. */
export function slicesOf(slice: string): string[] {
  const parts = slice.replace(/\.slice$/, '').split('-')
  if (parts.some((part) => part === '')) return slice === '' ? [] : [slice]
  return parts.map((_, i) => `${parts.slice(0, i + 1).join('-')}.slice`)
}

class Branch {
  readonly entries: Entry<Process>[] = []
  #branches = new Map<string, Branch>()

  constructor(
    readonly name: string,
    readonly kind: Group['kind'],
    readonly path = '',
  ) {}

  get key(): string {
    return `${this.path}/${this.name}`
  }

  at(name: string, kind: Group['kind']): Branch {
    let branch = this.#branches.get(name)
    if (!branch) this.#branches.set(name, (branch = new Branch(name, kind, this.key)))
    return branch
  }

  /** Units before slices, each by name: what stands still is found again. */
  branches(): Branch[] {
    return [...this.#branches.values()].sort((a, b) =>
      a.kind !== b.kind ? (a.kind === 'unit' ? -1 : 1) : a.name < b.name ? -1 : 1,
    )
  }

  /** The line of the group, with the sums of all that is in it. */
  line(depth: number, open: boolean): Line<Process> {
    const row: Process = { ...empty, comm: this.name, unit: this.kind === 'unit' ? this.name : '' }
    const count = this.#sum(row)
    const group: Group = { kind: this.kind, name: this.name, count }
    return { key: this.key, row, since: 0, end: null, trend: null, depth, open, group }
  }

  #sum(into: Process): number {
    let count = 0
    for (const { row, end } of this.entries) {
      if (end) continue
      count++
      into.cpuPercent += row.cpuPercent
      into.rss += row.rss
      into.threads += row.threads
    }
    for (const branch of this.#branches.values()) count += branch.#sum(into)
    return count
  }
}

const empty: Process = {
  pid: 0,
  startTime: 0,
  startedAt: '',
  ppid: 0,
  user: '',
  state: '',
  nice: 0,
  comm: '',
  cmdline: '',
  cpuPercent: 0,
  rss: 0,
  vsize: 0,
  threads: 0,
  unit: '',
  slice: '',
}

function add<Row>(lists: Map<string, Entry<Row>[]>, key: string, entry: Entry<Row>) {
  const list = lists.get(key)
  if (list) list.push(entry)
  else lists.set(key, [entry])
}
