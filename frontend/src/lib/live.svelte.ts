import { isLong, readLong } from './read'
import type {
  ClientMessage,
  DeltaMessage,
  ErrorBody,
  FailedMessage,
  HelloMessage,
  JournalMessage,
  OperationMessage,
  OutputMessage,
  ServerMessage,
  SnapshotMessage,
  SummaryMessage,
  Watch,
} from './wire.gen'

/** What is asked of the server in a watch; its id is the connection's own affair. */
export type Subject = Omit<Watch, 'id'>

/** Who is told what a watch brings. The rows' type follows from the topic, which the caller chose. */
export interface Watcher<Row = unknown> {
  snapshot?(message: SnapshotMessage<Row>): void
  delta?(message: DeltaMessage<Row>): void
  summary?(message: SummaryMessage): void
  failed?(message: FailedMessage): void
  /** A watch of events begins, or begins anew after a gap: first comes what there is, then what is added. */
  began?(): void
  journal?(message: JournalMessage): void
  output?(message: OutputMessage): void
  /** The server refused the watch. */
  refused?(error: ErrorBody): void
}

/** How the connection stands: off (nobody signed in), opening, live, or waiting to try again. */
export type LiveState = 'off' | 'opening' | 'live' | 'waiting'

/**
 * Why there is no connection: it broke; the server said that it stops; it cut us off for being slow; nothing answers;
 * or HTTP works and the WebSocket does not, as behind a proxy that does not pass it.
 */
export type LostReason = 'broken' | 'stopped' | 'slow' | 'unreachable' | 'blocked'

/** What a plain request told after a connection that never opened. */
export type Probe = 'answers' | 'signed out' | 'unreachable'

/** What the connection needs of the world around it. */
export interface LiveWorld {
  open(): WebSocket
  probe(): Promise<Probe>
  random(): number
}

export interface LiveEvents {
  hello(message: HelloMessage): void
  operation(message: OperationMessage): void
  unseen(unseen: number): void
  /** The session ended, why is in the server's words; the connection is off and stays so. */
  ended(why: string): void
}

const goingAway = 1001
const sessionEnded = 4001
const slow = 4008

const firstPause = 500
/** Each pause is so much longer than the one before: one waits half as long again as the network was away, at most. */
const growth = 1.5
/** No longer than somebody waits who looks on; where nobody does, a server that many pages are open of is spared. */
const longestPause = 5_000
const longestHiddenPause = 20_000
/** A connection that held for so long shows that there is a way: the pauses start over. */
const heldTime = 2_000
/** A try that is not answered is given up: what got lost on its way is sent again ever more seldom. */
const openingLimit = 5_000
/** A network may be slower than that: the try after one that was given up may take longer. */
const slowOpeningLimit = 8_000
/** When something tells that it may go better now, no try is waited for that began longer ago. */
const freshTry = 1_500
/** What tells that somebody is at the page. */
const uses = ['pointermove', 'pointerdown', 'wheel', 'keydown'] as const
/** A connection that brought nothing for so long is asked for an answer, which must come within a second span. */
const quietLimit = 10_000
const answerLimit = 3_000
/** Where readings come in a steady beat, so many of them, but no less than a span, may be missed before it is asked. */
const missedBeats = 3
const shortestQuiet = 4_000
/** How often that is looked after; a page that slept in between has heard nothing because of that. */
const pulseTime = 1_000
const sleepTime = 5_000

/** One subject that is watched for as long as it is not closed, over however many connections that takes. */
export class Watching {
  /** The id and the view that it has on this connection; null while the server has not been asked, or not answered. */
  id: string | null = null
  view: number | null = null
  /** The last message that was applied; null until a snapshot came. */
  seq: number | null = null
  /** When its last reading came, and how long after the one before; 0: not known. */
  readAt = 0
  beat = 0

  constructor(
    readonly live: Live,
    public subject: Subject,
    readonly watcher: Watcher,
  ) {}

  /** Watches something else instead; the watcher gets a snapshot of that. */
  change(subject: Subject) {
    this.subject = subject
    this.live.renew(this)
  }

  close() {
    this.live.drop(this)
  }

  /** A reading came. One that was held up is forgotten with the next ones. */
  read() {
    const now = Date.now()
    if (this.readAt > 0) this.beat = Math.max(now - this.readAt, this.beat / 2)
    this.readAt = now
  }

  /** The connection has nothing for it any more. */
  reset() {
    this.id = this.view = this.seq = null
    this.readAt = this.beat = 0
  }
}

/**
 * The one WebSocket of the app. It comes back by itself: with a growing pause, and at once when the page is shown, gets
 * the focus or is used, the network returns, or a plain request is answered. Watches live on across connections; a hidden
 * page has none at the server.
 */
export class Live {
  state = $state<LiveState>('off')
  lost = $state<LostReason | null>(null)
  /** When the next attempt is made, in milliseconds of Date.now(). */
  retryAt = $state(0)
  /** When the connection was lost: the age of what the page shows. */
  lostAt = $state(0)
  /** The server serves another build of the app than this page is. */
  outdated = $state(false)

  #world: LiveWorld
  #events: LiveEvents
  #socket: WebSocket | null = null
  /** What came while a long message is being read, in its order. */
  #inbox: string[] | null = null
  #watches = new Set<Watching>()
  #ids = 0
  #attempts = 0
  #triedAt = 0
  /** The last try was not answered in time. */
  #hung = false
  /** The plain request that is on its way, if any; and whether the last one was answered though no connection opened. */
  #probing: Promise<Probe> | null = null
  #answers = false
  #build = ''
  #heard = 0
  /** Since when an answer is awaited; 0: it is not. */
  #doubted = 0
  #checked = 0
  #hidden = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #pulse: ReturnType<typeof setInterval> | undefined

  constructor(world: LiveWorld, events: LiveEvents) {
    this.#world = world
    this.#events = events
  }

  /** Connects, and stays connected until stop. */
  start() {
    if (this.state !== 'off') return
    this.#hidden = document.hidden
    document.addEventListener('visibilitychange', this.#shown)
    addEventListener('online', this.#online)
    addEventListener('offline', this.#cut)
    addEventListener('focus', this.#hurry)
    for (const use of uses) addEventListener(use, this.#used, { capture: true, passive: true })
    this.#checked = Date.now()
    this.#pulse = setInterval(() => this.#check(), pulseTime)
    this.#open()
  }

  /** Disconnects; watches are kept for the next start. */
  stop() {
    document.removeEventListener('visibilitychange', this.#shown)
    removeEventListener('online', this.#online)
    removeEventListener('offline', this.#cut)
    removeEventListener('focus', this.#hurry)
    for (const use of uses) removeEventListener(use, this.#used, { capture: true })
    clearInterval(this.#pulse)
    clearTimeout(this.#timer)
    this.#forget()
    this.#probing = null
    this.#answers = this.#hung = false
    this.state = 'off'
    this.lost = null
    this.lostAt = this.#attempts = 0
  }

  watch<Row>(subject: Subject, watcher: Watcher<Row>): Watching {
    const watching = new Watching(this, subject, watcher as Watcher)
    this.#watches.add(watching)
    this.renew(watching)
    return watching
  }

  /** Asks for a watch anew: under a new id, so that what the old one still brings is not taken for its own. */
  renew(watching: Watching) {
    this.#release(watching)
    if (this.state !== 'live' || this.#hidden) return
    watching.id = `w${++this.#ids}`
    this.#send({ watch: { id: watching.id, ...watching.subject } })
  }

  drop(watching: Watching) {
    this.#release(watching)
    this.#watches.delete(watching)
  }

  /** Tries again now: also where a try is on its way that began before there was a network. */
  readonly #hurry = () => {
    if (this.state === 'waiting' || (this.state === 'opening' && this.#isStale())) this.#open()
    else this.#check()
  }

  /** There is a network, perhaps another one than the connection was made over. */
  readonly #online = () => {
    this.#hurry()
    this.doubt()
  }

  /** Somebody is at the page: they do not wait for the end of a pause. */
  readonly #used = () => {
    if (this.state === 'waiting' && this.#isStale()) this.#open()
  }

  #isStale(): boolean {
    return Date.now() - this.#triedAt > freshTry
  }

  /** The browser lost its network. Where the server is reached without one, the next connection comes at once. */
  readonly #cut = () => {
    if (this.state === 'live' && this.#socket) void this.#closed(this.#socket, 0)
  }

  readonly #shown = () => {
    if (this.#hidden === document.hidden) return
    this.#hidden = document.hidden
    this.#doubted = 0
    if (this.state === 'live') {
      for (const watching of this.#watches) {
        if (this.#hidden) this.#release(watching)
        else this.renew(watching)
      }
    }
    if (!this.#hidden) this.#hurry()
  }

  retry() {
    if (this.state === 'waiting') this.#open()
  }

  #release(watching: Watching) {
    if (watching.id !== null) this.#send({ unwatch: { id: watching.id } })
    watching.reset()
  }

  #send(message: ClientMessage) {
    // A socket that is about to close takes nothing more; that it closed is told soon.
    if (this.state !== 'live' || this.#socket?.readyState !== WebSocket.OPEN) return
    this.#socket.send(JSON.stringify(message))
  }

  #open() {
    clearTimeout(this.#timer)
    this.#forget()
    this.state = 'opening'
    this.#triedAt = Date.now()
    const socket = this.#world.open()
    this.#socket = socket
    socket.onmessage = (event) => void this.#take(event.data as string)
    socket.onclose = ({ code, reason }) => void this.#closed(socket, code, reason)
    const limit = this.#hung ? slowOpeningLimit : openingLimit
    this.#timer = setTimeout(() => {
      void this.#closed(socket, 0)
      this.#hung = true
    }, limit)
  }

  /** Lets go of the socket, and with it of every view; nothing that it still says is heard. */
  #forget() {
    const socket = this.#socket
    this.#socket = null
    this.#inbox = null
    this.#doubted = 0
    for (const watching of this.#watches) watching.reset()
    if (!socket) return
    socket.onmessage = socket.onclose = null
    socket.close()
  }

  async #closed(socket: WebSocket, code: number, reason = '') {
    if (socket !== this.#socket) return
    clearTimeout(this.#timer)
    const wasLive = this.state === 'live'
    this.#hung = false
    this.#forget()
    if (code === sessionEnded) {
      this.stop()
      this.#events.ended(reason)
      return
    }
    if (this.lostAt === 0) this.lostAt = Date.now()
    this.state = 'waiting'
    if (code === goingAway) this.lost = 'stopped'
    else if (code === slow) this.lost = 'slow'
    // A try that failed tells no reason of its own.
    else if (wasLive) this.lost = 'broken'
    else this.lost ??= 'broken'
    this.#schedule(wasLive ? 0 : Date.now() - this.#triedAt)
    if (!wasLive) await this.#ask()
  }

  /** A WebSocket does not say why it was not let in; a plain request does. */
  async #ask() {
    if (this.#probing) return
    const probing = (this.#probing = this.#world.probe())
    const probe = await probing
    // Meanwhile a connection opened, or nobody is signed in any more.
    if (this.#probing !== probing) return
    this.#probing = null
    const answered = this.#answers
    this.#answers = probe === 'answers'
    if (probe === 'signed out') {
      this.stop()
      this.#events.ended('')
    } else if (probe === 'unreachable') {
      // That it said before that it stops tells more than that it does not answer.
      if (this.lost !== 'stopped') this.lost = 'unreachable'
    } else if (this.state === 'opening') {
      // A try that began when nothing got through hangs; a fresh one must show itself how it ends.
      if (this.#isStale()) this.#open()
    } else if (answered) {
      this.lost = 'blocked'
    } else {
      // It is back, or one more try shows that only a connection does not open.
      this.#open()
    }
  }

  /** The pause before a try counts from when the last one began; at random, lest all pages try at once. */
  #schedule(tried: number) {
    const longest = this.#hidden ? longestHiddenPause : longestPause
    const part = 0.5 + this.#world.random() / 2
    const pause = Math.min(longest, firstPause * growth ** this.#attempts++) * part
    const wait = Math.max(pause - tried, firstPause * part)
    this.retryAt = Date.now() + wait
    this.#timer = setTimeout(() => this.#open(), wait)
  }

  /** Something else could not reach the server: the connection must show that it can. */
  doubt() {
    if (this.state !== 'live' || this.#doubted > 0) return
    this.#doubted = Date.now()
    this.#send({ unwatch: { id: 'nothing' } })
  }

  /** A connection can be dead without anybody having said so: a network that went away, a laptop that slept. */
  #check() {
    const now = Date.now()
    const slept = now - this.#checked > sleepTime
    this.#checked = now
    if (this.state !== 'live' || this.#hidden || !this.#socket) return
    if (slept) this.#doubted = 0
    if (this.#doubted === 0) {
      if (now - this.#heard > this.#patience()) this.doubt()
    } else if (now - this.#doubted > answerLimit) {
      // What is shown is as old as what was heard last.
      this.lostAt = this.#heard
      void this.#closed(this.#socket, 0)
    }
  }

  /** How long it may be quiet: a few beats of what beats fastest. */
  #patience(): number {
    const beats = [...this.#watches].map(({ beat }) => beat).filter((beat) => beat > 0)
    if (beats.length === 0) return quietLimit
    return Math.max(shortestQuiet, missedBeats * Math.min(...beats))
  }

  /** Reads what came, one message after the other; a long one bit by bit, and what comes meanwhile after it. */
  async #take(text: string) {
    this.#heard = Date.now()
    this.#doubted = 0
    if (this.#inbox) {
      this.#inbox.push(text)
      return
    }
    if (!isLong(text)) return this.#receive(JSON.parse(text) as ServerMessage)
    const inbox: string[] = (this.#inbox = [])
    const message = await readLong(text)
    // Another connection has begun.
    if (this.#inbox !== inbox) return
    this.#inbox = null
    this.#receive(message)
    for (const next of inbox) void this.#take(next)
  }

  #receive(message: ServerMessage) {
    switch (message.type) {
      case 'hello':
        return this.#welcome(message)
      case 'operation':
        return this.#events.operation(message)
      case 'unseen':
        return this.#events.unseen(message.unseen)
      case 'watching':
        for (const watching of this.#watches) {
          if (watching.id !== message.id) continue
          watching.view = message.view
          watching.watcher.began?.()
        }
        return
      case 'error':
        for (const watching of this.#watches) {
          if (watching.id !== message.id) continue
          watching.id = null
          watching.watcher.refused?.(message.error)
        }
        return
      case 'snapshot':
      case 'delta':
      case 'summary':
      case 'failed':
      case 'journal':
      case 'output':
        for (const watching of this.#watches) {
          if (watching.view === message.view) this.#apply(watching, message)
        }
    }
  }

  #apply(
    watching: Watching,
    message:
      | SnapshotMessage<unknown>
      | DeltaMessage<unknown>
      | SummaryMessage
      | FailedMessage
      | JournalMessage
      | OutputMessage,
  ) {
    const { watcher, seq } = watching
    switch (message.type) {
      case 'summary':
        watching.read()
        watching.seq = message.seq
        return watcher.summary?.(message)
      case 'failed':
        return watcher.failed?.(message)
      case 'journal':
        return watcher.journal?.(message)
      case 'output':
        return watcher.output?.(message)
      case 'snapshot':
        watching.seq = message.seq
        return watcher.snapshot?.(message)
      case 'delta':
        // Before the snapshot there is nothing to apply to; what is not newer was in the snapshot already.
        if (seq === null || message.seq <= seq) return
        if (message.seq > seq + 1) return this.renew(watching)
        watching.read()
        watching.seq = message.seq
        return watcher.delta?.(message)
    }
  }

  #welcome(message: HelloMessage) {
    clearTimeout(this.#timer)
    this.state = 'live'
    this.lost = null
    this.lostAt = 0
    this.#probing = null
    this.#answers = this.#hung = false
    // Being let in is not enough to start over with short pauses: who is cut off again at once goes on waiting longer.
    this.#timer = setTimeout(() => (this.#attempts = 0), heldTime)
    if (this.#build === '') this.#build = message.build
    this.outdated = this.#build !== message.build
    this.#events.hello(message)
    for (const watching of this.#watches) this.renew(watching)
  }
}
