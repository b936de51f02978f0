import type { End } from './entry'
import { i18n } from './i18n.svelte'

/** signal(7), for the architectures that Linux servers have. */
const names = (
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU ' +
  'XFSZ VTALRM PROF WINCH IO PWR SYS'
).split(' ')

/** A signal's name, as SIGKILL. */
export function signalName(signal: number): string {
  return `SIG${names[signal - 1] ?? signal}`
}

/** How a process ended, in short. */
export function endText({ exitCode, signal }: End): string {
  const { ending, processes } = i18n.t
  if (signal !== null) return ending.killedBy(signalName(signal))
  if (exitCode !== null) return ending.exitStatus(`${exitCode}`)
  return processes.ended.gone
}
