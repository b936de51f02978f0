import type { ApiError } from './api'
import type { Operation, OperationsReply } from './wire.gen'

/**
 * One line of news, through all its phases: it was asked for; then it is a record, which runs and ends, or a refusal: nothing
 * was done then, so the server has no record of it.
 */
export interface Notice {
  /** Stays the same for as long as it is told. */
  key: string
  /** What was asked for, in the user's words; empty where a record tells it. */
  what: string
  operation: Operation | null
  refusal: ApiError | null
  /** It was sent and not answered: it may have begun all the same. */
  unsure?: boolean
  /** It was looked for in the log, which has no record of it. */
  absent?: boolean
}

/** What was asked for here and has no record yet: by what its record will be known. */
interface Asked {
  logType: string
  target: string
  /** The newest record that was known then. */
  since: string
}

const atOnce = 5

/** What is told now. The one place that toasts are raised from. */
export class News {
  /** The newest last. */
  notices = $state.raw<readonly Notice[]>([])
  /** The newest record that is known; empty where the log was not heard of yet, "0" where it had none. */
  newest = ''

  #asked = new Map<string, Asked>()
  #count = 0

  /** Something is asked of the server; returns what names it until there is an answer. */
  ask(what: string, logType: string, target: string): string {
    const key = `asked-${++this.#count}`
    this.#asked.set(key, { logType, target, since: this.newest })
    this.#put({ key, what, operation: null, refusal: null })
    return key
  }

  /** The answer to what was asked as key: its record. That may have come by the live connection before, with its end. */
  began(operation: Operation, key: string) {
    this.#asked.delete(key)
    const known = this.#of(operation)
    if (known && known.key !== key) this.dismiss(key)
    if (!known) this.#put({ key, what: '', operation, refusal: null })
  }

  /** A record that is new or changed. */
  tell(operation: Operation) {
    const known =
      this.#of(operation) ??
      this.#awaited(operation) ??
      this.#belied(operation) ??
      this.#guessed(operation)
    if (known) this.#asked.delete(known.key)
    this.#put({ key: known?.key ?? operation.id, what: '', operation, refusal: null })
  }

  /** Whether it is not known of something if it began. */
  get unsure(): boolean {
    return this.notices.some(({ unsure }) => unsure)
  }

  /** The newest page of the log: what was not answered has its record there, or was not done. */
  settle({ operations, next }: OperationsReply, me: string) {
    for (const operation of operations.filter(({ actor }) => actor === me).reverse()) {
      const open = this.notices.filter(({ key, unsure }) => unsure && this.#asked.get(key)?.since)
      if (!this.#of(operation) && this.#awaited(operation, open)) this.tell(operation)
    }
    const oldest = next === '' ? '0' : (operations.at(-1)?.id ?? next)
    for (const notice of this.notices) {
      const since = this.#asked.get(notice.key)?.since
      if (!notice.unsure || notice.absent || !since || isOlder(since, oldest)) continue
      this.#put({ ...notice, absent: true })
    }
  }

  /** A request was refused, or could not be asked. */
  refuse(what: string, refusal: ApiError, key = `refused-${++this.#count}`) {
    const asked = this.#asked.get(key)
    const unsure = asked !== undefined && refusal.code === 'unreachable'
    // Its record may still come, and then finds its notice.
    if (!unsure) this.#asked.delete(key)
    this.#put({ key, what, operation: null, refusal, unsure })
  }

  dismiss(key: string) {
    this.#asked.delete(key)
    this.notices = this.notices.filter((notice) => notice.key !== key)
  }

  clear() {
    this.#asked.clear()
    this.notices = []
  }

  #of({ id }: Operation): Notice | undefined {
    return this.notices.find(({ operation }) => operation?.id === id)
  }

  /** The notice that an act on a service had succeeded, where this tells that the service failed a moment later. */
  #belied({ logType, target }: Operation): Notice | undefined {
    if (logType !== 'service.failed') return undefined
    return this.notices.findLast(
      ({ operation }) => operation?.target === target && operation.retStatus === 'succeeded',
    )
  }

  /** The notice of a refused sign-in: it is of the last one, because who guesses passwords would be told of all day. */
  #guessed({ logType }: Operation): Notice | undefined {
    if (logType !== 'session.denied') return undefined
    return this.notices.find(({ operation }) => operation?.logType === logType)
  }

  /** The notice of a request that this is the record of, where that came before the answer. */
  #awaited({ id, logType, target }: Operation, among = this.notices): Notice | undefined {
    return among.find(({ key }) => {
      const asked = this.#asked.get(key)
      if (asked?.logType !== logType || !isOlder(asked.since, id)) return false
      return asked.target === target || `${asked.target}.service` === target
    })
  }

  #put(notice: Notice) {
    const known = this.notices.some(({ key }) => key === notice.key)
    this.notices = known
      ? this.notices.map((old) => (old.key === notice.key ? notice : old))
      : [...this.notices, notice].slice(-atOnce)
  }
}

/** Ids are decimal and rise; they are too long for a number. */
export function isOlder(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length
}
