import { asApiError } from './api'
import type { Api, ApiError } from './api'
import { News } from './news.svelte'
import type { Operation, OperationReply, OperationsReply, UnseenReply } from './wire.gen'

export interface LogFilter {
  q: string
  logType: string
  retStatus: string
  logStatus: string
}

const unfiltered: LogFilter = { q: '', logType: '', retStatus: '', logStatus: '' }

const runningAtOnce = '200'
/** Who scrolls down wants to go far. */
const longPage = '200'

/** Acts on the host, as against those on accounts and sessions. */
const onHost = /^(service|process|command)\./

/**
 * Everything that is known of what was done. Toasts, the rows of the log and its badge are views of this one store:
 * nothing else raises a toast. What the live connection brings and what pages of the log bring meets here by id.
 */
export class Operations {
  /** Records that nobody has looked at, by the server's count. */
  unseen = $state(0)
  /** What is being done now, by whomever, by its id. */
  running = $state.raw<ReadonlyMap<string, Operation>>(new Map())
  readonly news = new News()
  /** The pages of the log fetched so far, newest first. */
  log = $state.raw<readonly Operation[]>([])
  total = $state(0)
  /** There may be more than that: there were too many to look at. */
  atLeast = $state(false)
  /** How many records the live connection has brought. */
  arrivals = $state(0)
  next = $state('')
  loading = $state(true)
  /** Why the last page could not be had, or the query not be read. */
  failure = $state.raw<ApiError | null>(null)

  #api: Api
  #me = ''
  #filter: LogFilter = unfiltered
  #open = false
  #asked = 0
  /** The newest act on a service, by its name. */
  #acts = $derived(
    new Map(
      [...this.running.values()]
        .filter(({ logType }) => logType.startsWith('service.'))
        .map((op) => [op.target, op]),
    ),
  )

  constructor(api: Api) {
    this.#api = api
  }

  /** The live connection is there: catches up with what happened while nobody listened. */
  async welcome(username: string, unseen: number) {
    this.#me = username
    this.unseen = unseen
    void this.refresh()
    const path = `/operations?retStatus=running&limit=${runningAtOnce}`
    try {
      const { operations } = await this.#api.call<OperationsReply>('GET', path)
      this.running = new Map(operations.reverse().map((op) => [op.id, op]))
      for (const { operation } of this.news.notices) {
        if (operation?.retStatus !== 'running' || this.running.has(operation.id)) continue
        this.news.tell(await this.#get(operation.id))
      }
    } catch (error) {
      // The connection broke again, and with the next one comes the next try.
      asApiError(error)
    }
  }

  /** What is being done with a service. */
  actOn(name: string): Operation | undefined {
    return this.#acts.get(name)
  }

  /** A record that is new or changed, pushed by the server. */
  arrived(operation: Operation, unseen: number) {
    this.unseen = unseen
    this.arrivals++
    this.#follow(operation)
    const known = this.log.some(({ id }) => id === operation.id)
    if (known) this.log = this.log.map((old) => (old.id === operation.id ? operation : old))
    else if (this.#open) void this.refresh()
    // What is seen from the start, as a sign-in is, is no news. What others do on the host is theirs: the badge counts it.
    if (operation.logStatus !== 'new') return
    if (onHost.test(operation.logType) && operation.actor !== this.#me) return
    this.news.tell(operation)
  }

  /** The number of records that nobody has looked at changed: some were, perhaps by somebody else. */
  counted(unseen: number) {
    this.unseen = unseen
    void this.refresh()
  }

  /** The server refused a request, or could not be asked; it is told as an operation that failed would be. */
  refused(what: string, error: ApiError, key?: string) {
    if (error.code !== 'reauthenticate') this.news.refuse(what, error, key)
    // Who was asked for the password again and did not give it knows why nothing happened.
    else if (key !== undefined) this.news.dismiss(key)
  }

  /** Shows the log from its newest record. */
  async open(filter: LogFilter) {
    this.#filter = filter
    this.#open = true
    this.loading = true
    await this.refresh()
  }

  close() {
    this.#open = false
    this.log = []
    this.#asked++
  }

  /** Somebody else may sign in next. */
  forget() {
    this.news.clear()
    this.unseen = this.total = 0
  }

  /** Fetches the first page again, and puts what is new before what is there already. */
  async refresh() {
    if (!this.#open) return
    const page = await this.#fetch('')
    if (!page) return
    const oldest = page.operations.at(-1)
    const older =
      page.next === '' || !oldest || this.loading
        ? []
        : this.log.filter(({ id }) => isOlder(id, oldest.id))
    // The pages after the first stay, unless so much came meanwhile that there is a gap between them and it.
    const joined = older.length > 0 && this.log.some(({ id }) => id === oldest?.id)
    this.log = joined ? [...page.operations, ...older] : page.operations
    if (!joined) this.next = page.next
    this.loading = false
  }

  /** Fetches the page after the last. */
  async more() {
    if (this.next === '') return
    const page = await this.#fetch(this.next, longPage)
    if (!page) return
    this.log = [...this.log, ...page.operations]
    this.next = page.next
  }

  /** One record, from the pages at hand or from the server. */
  async find(id: string): Promise<Operation> {
    const known = this.log.find((operation) => operation.id === id)
    return known ?? this.#get(id)
  }

  /** Marks records as looked at, all of them when none is named. */
  async see(ids?: readonly string[]) {
    const body = ids ? { ids } : { all: true }
    this.unseen = (await this.#api.call<UnseenReply>('POST', '/operations/seen', body)).unseen
    await this.refresh()
  }

  async #get(id: string): Promise<Operation> {
    const path = `/operations/${encodeURIComponent(id)}`
    return (await this.#api.call<OperationReply>('GET', path)).operation
  }

  #follow(operation: Operation) {
    const { retStatus, id } = operation
    if (retStatus !== 'running' && !this.running.has(id)) return
    const running = new Map(this.running)
    if (retStatus === 'running') running.set(id, operation)
    else running.delete(id)
    this.running = running
  }

  async #fetch(before: string, limit = ''): Promise<OperationsReply | null> {
    const asked = ++this.#asked
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries({ ...this.#filter, before, limit })) {
      if (value !== '') query.set(name, value)
    }
    try {
      const page = await this.#api.call<OperationsReply>('GET', `/operations?${query}`)
      if (asked !== this.#asked) return null
      this.failure = null
      this.total = page.total
      this.atLeast = page.atLeast
      this.unseen = page.unseen
      return page
    } catch (error) {
      if (asked === this.#asked) {
        this.failure = asApiError(error)
        this.loading = false
      }
      return null
    }
  }
}

/** Ids are decimal and rise; they are too long for a number. */
function isOlder(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length
}
