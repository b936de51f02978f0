import { asApiError } from './api'
import type { Api } from './api'
import { i18n } from './i18n.svelte'
import type { Operations } from './operations.svelte'
import type {
  OperationReply,
  Peer,
  Process,
  Service,
  ServiceReply,
  ServicesReply,
} from './wire.gen'

export const serviceActions = [
  'start',
  'stop',
  'restart',
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

type Answer = 'yes' | 'no' | 'stop service'

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

  constructor(api: Api, operations: Operations) {
    this.#api = api
    this.#operations = operations
  }

  /** Acts on the service of that exact name, which may have its manager before it. */
  async service(name: string, action: ServiceAction) {
    const disrupts = action === 'stop' || action === 'restart' || action === 'disable'
    const what = `${i18n.t.logTypes[`service.${action}`]}: ${bare(name)}`
    await this.#tried(what, async () => {
      let confirm: string | undefined
      if (disrupts) {
        const [service, stakes] = await this.#stakes(name, action)
        if (isStake(stakes)) {
          const question = { kind: 'service', action, name: service.name, stakes } as const
          if ((await this.#ask(question)) !== 'yes') return
          if (stakes.guarded) confirm = service.name
        }
      }
      const path = `/services/${encodeURIComponent(name)}/actions`
      const body = confirm === undefined ? { action } : { action, confirm }
      const { operation } = await this.#api.call<OperationReply>('POST', path, body)
      this.#operations.begun(operation)
    })
  }

  /** Sends a signal to this process and no other. */
  async signal(process: Process, signal: Signal) {
    const what = `SIG${signal}: ${process.comm} (${process.pid})`
    await this.#tried(what, async () => {
      if (ending.includes(signal)) {
        const service = await this.#mainOf(process)
        const answer = await this.#ask({ kind: 'signal', signal, process, service })
        if (answer === 'no') return
        if (answer === 'stop service' && service)
          return this.service(`${service.manager}:${service.name}`, 'stop')
      }
      const path = `/processes/${process.pid}/signals`
      const body = { signal, startTime: process.startTime }
      const { operation } = await this.#api.call<OperationReply>('POST', path, body)
      this.#operations.begun(operation)
    })
  }

  /** Runs a command; resolves to the id of its record, or null where it did not begin. */
  async command(command: string, timeout: number): Promise<string | null> {
    let id: string | null = null
    await this.#tried(`${i18n.t.logTypes['command.run']}: ${command}`, async () => {
      const body = { command, timeout }
      const { operation } = await this.#api.call<OperationReply>('POST', '/commands', body)
      this.#operations.begun(operation)
      id = operation.id
    })
    return id
  }

  /** Ends a command that runs. */
  async cancel(id: string, command: string) {
    await this.#tried(`${i18n.t.command.cancel}: ${command}`, () =>
      this.#api.call('POST', `/operations/${encodeURIComponent(id)}/cancel`, {}),
    )
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

  async #tried(what: string, act: () => Promise<unknown>) {
    try {
      await act()
    } catch (error) {
      this.#operations.refused(what, asApiError(error))
    }
  }

  async #stakes(name: string, action: ServiceAction): Promise<[Service, Stakes]> {
    const path = `/services/${encodeURIComponent(name)}`
    const reply = await this.#api.call<ServiceReply>('GET', path)
    const { service, dependencies, stopsToo, connected, carriesSession, guarded } = reply
    const interrupts = action !== 'disable' && runs(service)
    return [
      service,
      {
        guarded,
        stops: interrupts ? await this.#running(stopsToo) : [],
        triggers: interrupts && action === 'stop' ? (dependencies.triggeredBy ?? []) : [],
        connected: interrupts ? connected : [],
        carriesSession: interrupts && carriesSession,
      },
    ]
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
