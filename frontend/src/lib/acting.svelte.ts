import { asApiError } from './api'
import type { Api, ApiError } from './api'
import { i18n } from './i18n.svelte'
import type { Operations } from './operations.svelte'
import type {
  Operation,
  OperationReply,
  Peer,
  Process,
  ProcessDetail,
  Service,
  ServiceReply,
  ServicesReply,
} from './wire.gen'

export const serviceActions = [
  'start',
  'restart',
  'stop',
  'reload',
  'enable',
  'disable',
  'reset-failed',
] as const
export type ServiceAction = (typeof serviceActions)[number]

export const signals = ['TERM', 'KILL', 'HUP', 'INT', 'USR1', 'USR2', 'STOP', 'CONT'] as const
export type Signal = (typeof signals)[number]

/** A process ends by these unless it minds them; the others can be taken back. */
const ending: readonly Signal[] = ['TERM', 'KILL', 'HUP', 'INT', 'USR1', 'USR2']

/** What an act on a service would cost beside what it is for. */
export interface Stakes {
  /** Units that stop with it. */
  stops: readonly string[]
  /** Units that may start it again. */
  triggers: readonly string[]
  /** Who is connected to it. */
  connected: readonly Peer[]
  /** This very page comes through it. */
  carriesSession: boolean
  /** Why its name must be typed; empty: it need not. */
  guarded: string
}

/** What somebody must agree to before it is done. */
export type Question =
  | { kind: 'service'; action: ServiceAction; name: string; stakes: Stakes }
  | { kind: 'signal'; signal: Signal; process: Process; service: Service | null }
  | { kind: 'command'; command: string }

/** How long a command may take, in seconds, is agreed to with it. */
type Answer = 'yes' | 'no' | 'stop service' | { timeout: number }

/** What is asked of the server: as its record will have it, and in words. */
interface Act {
  logType: string
  target: string
  what: string
  /** Hears what is wrong with what was typed, in place of a toast: whoever typed it is told where they did. */
  wrong?: ((refusal: ApiError) => void) | undefined
}

/** Seconds that a command may take when nobody says otherwise. */
export const usualTimeout = 60
/** What a field for it takes. */
export const timeoutBounds = { min: 1, max: 3600, required: true }

/**
 * Does what its user asks for on the host. It asks back where something would be lost, and hands what began, or why it did
 * not, to the operations: they tell it.
 */
export class Acting {
  question = $state.raw<Question | null>(null)
  /** Whether this server runs commands for this user. */
  commands = $state(false)

  #api: Api
  #operations: Operations
  #settle: (answer: Answer) => void = () => {}
  /** Who was asked for the password again did not give it. */
  #declined = false

  constructor(api: Api, operations: Operations) {
    this.#api = api
    this.#operations = operations
  }

  /** Acts on the service of that exact name, which may have its manager before it. wrong hears why there is none. */
  async service(name: string, action: ServiceAction, wrong?: Act['wrong']) {
    const [target, what] = [bare(name), bare(name)]
    const act: Act = { logType: `service.${action}`, target, what, wrong }
    let confirm: string | undefined
    if (disrupts(action)) {
      const costs = await this.#tried(act, () => this.#stakes(name, action))
      if (!costs) return
      const { service, stakes } = costs
      if (isStake(stakes)) {
        const question = { kind: 'service', action, name: service.name, stakes } as const
        if ((await this.#ask(question)) !== 'yes') return
        if (stakes.guarded) confirm = service.name
      }
    }
    const path = `/services/${encodeURIComponent(name)}/actions`
    await this.#do(act, path, confirm === undefined ? { action } : { action, confirm })
  }

  /** Sends a signal to this process and no other. */
  async signal(process: Process, signal: Signal) {
    const { pid, startTime, comm } = process
    const what = `SIG${signal} → ${comm} (${pid})`
    if (ending.includes(signal)) {
      const service = await this.#mainOf(process)
      const answer = await this.#ask({ kind: 'signal', signal, process, service })
      if (answer === 'no') return
      if (answer === 'stop service' && service)
        return this.service(`${service.manager}:${service.name}`, 'stop')
    }
    const act: Act = { logType: 'process.signal', target: `${pid}:${startTime}`, what }
    await this.#do(act, `/processes/${pid}/signals`, { signal, startTime })
  }

  /**
   * Sends a signal to several processes that were named in one question. One that is refused does not keep the others.
   * done is called for each when it has succeeded.
   */
  async signalAll(processes: readonly Process[], signal: Signal, done: (row: Process) => void) {
    this.#declined = false
    for (const process of processes) {
      const { pid, startTime, comm } = process
      const what = `SIG${signal} → ${comm} (${pid})`
      const act: Act = { logType: 'process.signal', target: `${pid}:${startTime}`, what }
      const begun = await this.#do(act, `/processes/${pid}/signals`, { signal, startTime })
      if (this.#declined) return
      void this.#succeeded(begun, () => done(process))
    }
  }

  /** Acts on several services likewise. A guarded one the server refuses: its name must be typed, for it alone. */
  async serviceAll(
    services: readonly Service[],
    action: ServiceAction,
    done: (row: Service) => void,
  ) {
    for (const service of services) {
      const { manager, name } = service
      const act: Act = { logType: `service.${action}`, target: name, what: name }
      const path = `/services/${encodeURIComponent(`${manager}:${name}`)}/actions`
      const begun = await this.#do(act, path, { action })
      void this.#succeeded(begun, () => done(service))
    }
  }

  /** What an act on several services costs together beside them; null where it costs nothing, as far as can be known. */
  async costsOf(services: readonly Service[], action: ServiceAction): Promise<Stakes | null> {
    if (!disrupts(action)) return null
    const own = new Set(services.map(({ name }) => name))
    const asked = services.map(({ manager, name }) => this.#stakes(`${manager}:${name}`, action))
    const known = (await Promise.allSettled(asked))
      .filter((result) => result.status === 'fulfilled')
      .map(({ value }) => value.stakes)
    const beside = (units: readonly string[]) =>
      [...new Set(units)].filter((unit) => !own.has(unit))
    const peers = new Map<string, number>()
    for (const { address, connections } of known.flatMap(({ connected }) => connected))
      peers.set(address, (peers.get(address) ?? 0) + connections)
    const stakes = {
      stops: beside(known.flatMap(({ stops }) => stops)),
      triggers: beside(known.flatMap(({ triggers }) => triggers)),
      connected: [...peers].map(([address, connections]) => ({ address, connections })),
      carriesSession: known.some(({ carriesSession }) => carriesSession),
      // The server refuses those: each wants its name typed, for it alone.
      guarded: '',
    }
    return isStake(stakes) ? stakes : null
  }

  /**
   * Runs a command; resolves to the id of its record, or null where it did not begin. wrong hears why it cannot be read, or
   * that there is no such program.
   */
  async command(command: string, timeout: number, wrong?: Act['wrong']): Promise<string | null> {
    const act: Act = { logType: 'command.run', target: command, what: command, wrong }
    const operation = await this.#do(act, '/commands', { command, timeout })
    return operation?.id ?? null
  }

  /** Ends what runs: a command with all that it started, a service's script, or systemd's job for it. */
  async cancel({ id, target, logType }: Operation) {
    const { acts, colon, logTypes } = i18n.t
    const what = [acts.cancel, logTypes[logType] ?? logType, target].join(colon)
    const act: Act = { logType: '', target, what }
    await this.#tried(act, () =>
      this.#api.call('POST', `/operations/${encodeURIComponent(id)}/cancel`, {}),
    )
  }

  /** Does what a record tells of once more, as if it were asked for the first time. */
  async again(operation: Operation): Promise<void> {
    const known = repeatable(operation)
    if (known?.kind === 'service') return this.service(operation.target, known.action)
    if (known?.kind === 'signal') {
      const [pid = '', startTime = ''] = operation.target.split(':')
      const path = `/processes/${pid}?startTime=${startTime}`
      const act: Act = {
        logType: operation.logType,
        target: operation.target,
        what: `SIG${known.signal} → ${pid}`,
      }
      const detail = await this.#tried(act, () => this.#api.call<ProcessDetail>('GET', path))
      if (detail) await this.signal(detail.process, known.signal)
    }
    if (known?.kind === 'command') {
      const command = operation.target
      // Its record does not tell how long it was given.
      const answer = await this.#ask({ kind: 'command', command })
      if (typeof answer === 'object') await this.command(command, answer.timeout)
    }
  }

  /** Answers the question that is asked. */
  answer(answer: Answer) {
    this.question = null
    this.#settle(answer)
  }

  #ask(question: Question): Promise<Answer> {
    this.#settle('no')
    this.question = question
    return new Promise((resolve) => (this.#settle = resolve))
  }

  /** Asks the server to act, and has it told from here to its end. */
  async #do(act: Act, path: string, body: object): Promise<Operation | null> {
    const key = this.#operations.news.ask(wordsOf(act), act.logType, act.target)
    const reply = await this.#tried(
      act,
      () => this.#api.call<OperationReply>('POST', path, body),
      key,
    )
    if (!reply) return null
    this.#operations.news.began(reply.operation, key)
    return reply.operation
  }

  /** Calls done when what has begun has succeeded; not where it was refused. */
  async #succeeded(begun: Operation | null, done: () => void) {
    if (begun && (await this.#operations.ended(begun)).retStatus === 'succeeded') done()
  }

  /** What a call answers, or null where it was refused, which is told. */
  async #tried<T>(act: Act, call: () => Promise<T>, key?: string): Promise<T | null> {
    try {
      return await call()
    } catch (error) {
      const refusal = asApiError(error)
      this.#declined = refusal.code === 'reauthenticate'
      if (act.wrong && (refusal.code === 'not_found' || refusal.code === 'invalid')) {
        if (key !== undefined) this.#operations.news.dismiss(key)
        act.wrong(refusal)
      } else {
        this.#operations.refused(wordsOf(act), refusal, key)
      }
      return null
    }
  }

  async #stakes(
    name: string,
    action: ServiceAction,
  ): Promise<{ service: Service; stakes: Stakes }> {
    const path = `/services/${encodeURIComponent(name)}`
    const reply = await this.#api.call<ServiceReply>('GET', path)
    const { service, dependencies, stopsToo, connected, carriesSession, guarded } = reply
    const interrupts = action !== 'disable' && runs(service)
    const stakes = {
      guarded,
      stops: interrupts ? await this.#running(stopsToo) : [],
      triggers: interrupts && action === 'stop' ? (dependencies.triggeredBy ?? []) : [],
      connected: interrupts ? connected : [],
      carriesSession: interrupts && carriesSession,
    }
    return { service, stakes }
  }

  /** Of these units, those that run; what is no service is not known, and counts. */
  async #running(units: readonly string[]): Promise<readonly string[]> {
    if (units.length === 0) return units
    const { services } = await this.#api.call<ServicesReply>('GET', '/services')
    const idle = new Set(services.filter((s) => !runs(s)).map((s) => s.name))
    return units.filter((unit) => !idle.has(unit))
  }

  /** The service whose main process this is: its manager may start it again. */
  async #mainOf({ pid, unit }: Process): Promise<Service | null> {
    if (!unit.endsWith('.service')) return null
    try {
      const path = `/services/${encodeURIComponent(unit)}`
      const { service } = await this.#api.call<ServiceReply>('GET', path)
      return service.mainPid === pid ? service : null
    } catch (error) {
      asApiError(error)
      return null
    }
  }
}

/** A record's log type may be what is asked for already. */
function wordsOf({ logType, what }: Act): string {
  const words = i18n.t.logTypes[logType]
  return words ? words + i18n.t.colon + what : what
}

/** The longest target that a log holds as it was, in bytes. */
const wholeTarget = 4000

/** What it takes to do once more what a record tells of; null where that cannot be, or is still going on. */
export function repeatable({
  logType,
  target,
  message,
  retStatus,
}: Operation):
  | { kind: 'service'; action: ServiceAction }
  | { kind: 'signal'; signal: Signal }
  | { kind: 'command' }
  | null {
  if (retStatus === 'running') return null
  const action = serviceActions.find((action) => logType === `service.${action}`)
  if (action) return { kind: 'service', action }
  if (logType === 'process.signal') {
    const signal = signals.find((name) => new RegExp(`\\bSIG${name}\\b`).test(message))
    return signal ? { kind: 'signal', signal } : null
  }
  const whole = new TextEncoder().encode(target).length < wholeTarget
  return logType === 'command.run' && whole ? { kind: 'command' } : null
}

function disrupts(action: ServiceAction): boolean {
  return action === 'stop' || action === 'restart' || action === 'disable'
}

function runs({ activeState }: Service): boolean {
  return activeState !== 'inactive' && activeState !== 'failed'
}

function isStake({ stops, triggers, connected, carriesSession, guarded }: Stakes): boolean {
  return (
    [stops, triggers, connected].some(({ length }) => length > 0) ||
    carriesSession ||
    guarded !== ''
  )
}

function bare(name: string): string {
  return name.replace(/^(systemd|sysv):/, '')
}

/** Whether what was typed is the name: .service may be left out. */
export function isNamed(typed: string, name: string): boolean {
  const short = (text: string) => text.trim().replace(/\.service$/, '')
  return short(typed) !== '' && short(typed) === short(name)
}

/** The acts on a service that its manager can do as it is. */
export function actionsFor(service: Service): ServiceAction[] {
  return serviceActions.filter((action) => service.actions.includes(action))
}
