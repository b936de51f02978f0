import { asApiError } from './api'
import type { Api, ApiError } from './api'
import { isOlder, News } from './news.svelte'
import type { Operation, OperationReply, OperationsReply, UnseenReply } from './wire.gen'

export interface LogFilter {
  q: string
  logType: string
  retStatus: string
  logStatus: string
}

const unfiltered: LogFilter = { q: '', logType: '', retStatus: '', logStatus: '' }

const runningAtOnce = '200'
/** How many of the last ends are known: the answer to a request may come after the end of what it began. */
const endsKnown = 500
/** What the server gives when it is not told how many, and what who scrolls down wants: to go far. */
const firstPage = 50
const longPage = 200

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
  /** How often the live connection has brought a record, or came back after any number of them. */
  arrivals = $state(0)
  next = $state('')
  /** The server ended its search before it had a page full; what is older than next was not searched. */
  cut = $state(false)
  /** How far back it was searched then. */
  searchedTo = $state('')
  loading = $state(true)
  /** What was searched for when the rows, or why they cannot be had, came; null before the first. */
  answered = $state<string | null>(null)
  /** Why the last page could not be had, or the query not be read. */
  failure = $state.raw<ApiError | null>(null)

  #api: Api
  #me = ''
  #filter: LogFilter = unfiltered
  #open = false
  #asked = 0
  /** The page that is being fetched, by the record before it. */
  #fetching = ''
  /** The last records that ended, by their ids, and what waits for the end of others. */
  #ends = new Map<string, Operation>()
  #awaited = new Map<string, (ended: Operation) => void>()
  #listeners = new Set<(operation: Operation) => void>()
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
    if (this.#me !== '') this.arrivals++
    this.#me = username
    this.unseen = unseen
    void this.refresh()
    const path = `/operations?retStatus=running&limit=${runningAtOnce}`
    try {
      await this.#settle()
      const { operations } = await this.#api.call<OperationsReply>('GET', path)
      const running = operations.reverse().filter(({ id }) => !this.#ends.has(id))
      this.running = new Map(running.map((op) => [op.id, op]))
      for (const id of this.#awaited.keys())
        if (!this.running.has(id)) this.#end(await this.#get(id))
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

  /** Whether somebody is, or was just, at a service: its own record tells what becomes of that. */
  isAt(name: string): boolean {
    const told = this.news.notices.some(({ operation }) => operation?.target === name)
    return told || this.actOn(name) !== undefined
  }

  /** The record of what has begun, once it has ended. */
  ended(operation: Operation): Promise<Operation> {
    const { id, retStatus } = operation
    const end = retStatus === 'running' ? this.#ends.get(id) : operation
    return end ? Promise.resolve(end) : new Promise((known) => this.#awaited.set(id, known))
  }

  /** A record that is new or changed, pushed by the server. */
  arrived(operation: Operation, unseen: number) {
    this.unseen = unseen
    this.arrivals++
    if (isOlder(this.news.newest, operation.id)) this.news.newest = operation.id
    this.#follow(operation)
    this.#end(operation)
    for (const listener of this.#listeners) listener(operation)
    const known = this.log.some(({ id }) => id === operation.id)
    if (known) this.log = this.log.map((old) => (old.id === operation.id ? operation : old))
    else if (this.#open) void this.refresh()
    // What is seen from the start, as a sign-in is, is no news. What others do on the host is theirs: the badge counts it.
    if (operation.logStatus !== 'new') return
    if (onHost.test(operation.logType) && operation.actor !== this.#me) return
    // A wrong password or code of one's own: the form that asked for it tells.
    if (operation.logType === 'session.denied' && operation.actor === this.#me) return
    this.news.tell(operation)
  }

  /** Has somebody told of each record that arrives, until what it returns is called. */
  listen(listener: (operation: Operation) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
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
    // The live connection may not have broken: then no other follows that would look for it.
    if (this.news.unsure) void this.#settle().catch(asApiError)
  }

  /** Shows the log from its newest record. */
  async open(filter: LogFilter) {
    this.#filter = filter
    this.#open = true
    this.loading = true
    this.cut = false
    this.searchedTo = this.next = ''
    await this.refresh()
  }

  close() {
    this.#open = this.cut = false
    this.log = []
    this.answered = null
    this.#asked++
  }

  /** Somebody else may sign in next. */
  forget() {
    this.news.clear()
    this.#ends.clear()
    this.#awaited.clear()
    this.unseen = this.total = 0
  }

  /** Fetches the first page again, and puts what is new before what is there already. */
  async refresh() {
    if (!this.#open) return
    const asked = ++this.#asked
    const page = await this.#fetch('', firstPage, () => asked === this.#asked)
    if (!page) return
    // How far back the page reaches: what is older stays, unless so much came meanwhile that there is a gap.
    const cut = isCut(page, firstPage)
    const end = cut ? page.next : (page.operations.at(-1)?.id ?? '')
    const older = page.next === '' ? [] : this.log.filter(({ id }) => isOlder(id, end))
    const joined =
      !this.loading &&
      page.next !== '' &&
      (cut
        ? this.next === '' || !isOlder(end, this.next)
        : older.length > 0 && this.log.some(({ id }) => id === end))
    this.log = joined ? [...page.operations, ...older] : page.operations
    if (!joined) this.#endAt(page, cut)
    this.loading = false
    this.answered = this.#filter.q
    this.#count(page, firstPage)
  }

  /** Fetches the page after the last. */
  async more() {
    const { next } = this
    const filter = this.#filter
    if (next === '' || this.#fetching === next) return
    this.#fetching = next
    const page = await this.#fetch(
      next,
      longPage,
      () => this.#open && filter === this.#filter && next === this.next,
    )
    this.#fetching = ''
    if (!page) return
    this.log = [...this.log, ...page.operations]
    this.#endAt(page, isCut(page, longPage))
    this.#count(page, longPage)
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

  /** Looks how far the log has come, and in it for what was asked and not answered. */
  async #settle() {
    const limit = this.news.unsure ? longPage : 1
    const page = await this.#api.call<OperationsReply>('GET', `/operations?limit=${limit}`)
    const newest = page.operations[0]?.id ?? '0'
    if (isOlder(this.news.newest, newest)) this.news.newest = newest
    // One record tells nothing of what became unsure meanwhile.
    if (limit === longPage) this.news.settle(page, this.#me)
  }

  async #get(id: string): Promise<Operation> {
    const path = `/operations/${encodeURIComponent(id)}`
    return this.#last((await this.#api.call<OperationReply>('GET', path)).operation)
  }

  /** The last that is known of a record: the answer to a request may be older than what was pushed meanwhile. */
  #last(operation: Operation): Operation {
    return operation.retStatus === 'running'
      ? (this.#ends.get(operation.id) ?? operation)
      : operation
  }

  #end(operation: Operation) {
    const { id, retStatus } = operation
    if (retStatus === 'running') return
    this.#ends.set(id, operation)
    const [oldest] = this.#ends.keys()
    if (this.#ends.size > endsKnown && oldest !== undefined) this.#ends.delete(oldest)
    this.#awaited.get(id)?.(operation)
    this.#awaited.delete(id)
  }

  #follow(operation: Operation) {
    const { retStatus, id } = operation
    if (retStatus !== 'running' && !this.running.has(id)) return
    const running = new Map(this.running)
    if (retStatus === 'running') running.set(id, operation)
    else running.delete(id)
    this.running = running
  }

  /** The page that is asked for, or null where it cannot be had, or is wanted no more when it comes. */
  async #fetch(
    before: string,
    limit: number,
    wanted: () => boolean,
  ): Promise<OperationsReply | null> {
    const query = new URLSearchParams()
    const asked = { ...this.#filter, before, limit: limit === firstPage ? '' : `${limit}` }
    for (const [name, value] of Object.entries(asked)) if (value !== '') query.set(name, value)
    try {
      const page = await this.#api.call<OperationsReply>('GET', `/operations?${query}`)
      if (!wanted()) return null
      this.failure = null
      this.unseen = page.unseen
      return { ...page, operations: page.operations.map((op) => this.#last(op)) }
    } catch (error) {
      if (wanted()) {
        this.failure = asApiError(error)
        // The rows stay while a query is being written, but not under a filter that they are not of.
        if (this.loading && this.failure.code !== 'invalid') this.log = []
        this.loading = false
        this.answered = this.#filter.q
      }
      return null
    }
  }

  /** What is there ends with this page. */
  #endAt({ next }: OperationsReply, cut: boolean) {
    this.next = next
    this.cut = cut
    if (cut) void this.#tellReach(next)
  }

  async #tellReach(next: string) {
    try {
      const { logTime } = await this.#get(next)
      if (this.next === next) this.searchedTo = logTime
    } catch (error) {
      // It was trimmed meanwhile, or cannot be had: the search goes on all the same.
      asApiError(error)
    }
  }

  /** A page whose search was ended counts only what that came to see. */
  #count({ total, atLeast, operations }: OperationsReply, limit: number) {
    const { length } = this.log
    // Below a page that is just full there may be more, though it names no next one.
    this.atLeast = atLeast && (this.next !== '' || operations.length >= limit)
    this.total = !atLeast ? total : this.atLeast ? Math.max(total, length) : length
  }
}

/** Whether the server's search ended before it had the page full. */
function isCut({ next, atLeast, operations }: OperationsReply, limit: number): boolean {
  return atLeast && next !== '' && operations.length < limit
}
