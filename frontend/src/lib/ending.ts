import type { End } from './entry'
import { exits } from './exits'
import { took } from './format'
import { i18n } from './i18n.svelte'
import type { Process, Service } from './wire.gen'

type How = Pick<End, 'exitCode' | 'signal'>

/** signal(7), for the architectures that Linux servers have. */
const names = (
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU ' +
  'XFSZ VTALRM PROF WINCH IO PWR SYS'
).split(' ')

/** A signal's name, as SIGKILL. */
function signalName(signal: number): string {
  return `SIG${names[signal - 1] ?? signal}`
}

/** How a process ended by itself, with systemd's term for its status and what that means, where they are known. */
export function exitText(code: number): string {
  const { exitStatus, statuses } = i18n.t.ending
  const means = [exits[code], statuses[code]].filter((part) => part !== undefined).join(': ')
  return means ? `${exitStatus(`${code}`)} (${means})` : exitStatus(`${code}`)
}

/** That a process was ended by a signal, named as SIGKILL. */
export function signalText(signal: string): string {
  const { killedBy, signals } = i18n.t.ending
  const means = signals[signal]
  return means ? `${killedBy(signal)} (${means})` : killedBy(signal)
}

/** How long a process lived; at most that, where the kernel did not tell of its end. Empty where that is not known. */
export function livedText({ lived, exitCode, signal }: End): string {
  if (lived === null) return ''
  return (exitCode === null && signal === null ? '≤ ' : '') + took(lived)
}

/** When a process ended, by the clock of its host as far as that is known. */
export function endedAt({ startedAt }: Pick<Process, 'startedAt'>, { lived, at }: End): Date {
  return new Date(lived === null ? at : Date.parse(startedAt) + lived * 1000)
}

/** How a service stands, in systemd's terms. */
export function stateTerm({ activeState, subState }: Service): string {
  return activeState === subState ? activeState : `${activeState} (${subState})`
}

/** How a service stands, in words: by its sub-state where that says more than its state. */
export function stateWords(service: Service): string {
  const { states } = i18n.t.service
  const { activeState, subState } = service
  const told = activeState === 'failed' ? activeState : subState
  return states[told] ?? states[activeState] ?? stateTerm(service)
}

/** How a service stands, as its row tells it: in English by systemd's terms, which are English words. And why it failed, or cannot start. */
export function shortState(service: Service): string {
  const { result, activeState, subState, loadState } = service
  const english = i18n.language === 'en'
  const unread = i18n.t.service.load[loadState]
  if (result === '' && unread !== undefined && loadState !== 'masked')
    return english ? `${activeState}: ${loadState}` : stateWords(service) + i18n.t.colon + unread
  if (result === '') return english ? stateTerm(service) : stateWords(service)
  return (english ? subState : stateWords(service)) + i18n.t.colon + shortReason(service)
}

/** Why a service failed, as far as there is room on its row; empty where it did not. */
export function shortReason({ result, exitCode, signal }: Service): string {
  const { results, exitStatus, killedBy } = i18n.t.ending
  if (result === 'exit-code' && exitCode !== null) return exitStatus(`${exitCode}`)
  if ((result === 'signal' || result === 'core-dump') && signal) return killedBy(signal)
  return results[result] ?? result
}

/** Why a service failed, all that its row tells; empty where it did not. */
export function fullReason({ result, exitCode, signal }: Service): string {
  const why = i18n.t.ending.results[result] ?? result
  const how = exitCode !== null ? exitText(exitCode) : signal ? signalText(signal) : ''
  return [why, how].filter((part) => part !== '').join(i18n.t.colon)
}

/** How a process ended, as far as there is room on its row. */
export function shortEnd({ exitCode, signal }: How): string {
  const { ending, processes } = i18n.t
  if (signal !== null) return ending.killedBy(signalName(signal))
  if (exitCode !== null) return ending.exitStatus(`${exitCode}`)
  return processes.ended.gone
}

/** How a process ended, all that the kernel told; empty where it told nothing. */
export function fullEnd({ exitCode, signal }: How): string {
  if (signal !== null) return signalText(signalName(signal))
  return exitCode === null ? '' : exitText(exitCode)
}
