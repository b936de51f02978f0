import { afterEach, describe, expect, it } from 'vitest'
import {
  endedAt,
  exitText,
  fullEnd,
  fullReason,
  livedText,
  shortEnd,
  shortReason,
  shortState,
  signalText,
  stateTerm,
  stateWords,
} from './ending'
import { i18n } from './i18n.svelte'
import type { Service } from './wire.gen'

const service = (part: Partial<Service>) =>
  ({ result: '', exitCode: null, signal: '', ...part }) as Service

afterEach(() => (i18n.language = 'en'))

describe('how a process ended', () => {
  it('is told with what its status means', () => {
    expect(exitText(3)).toBe('exit status 3')
    expect(exitText(127)).toBe('exit status 127 (not found)')
    expect(exitText(203)).toBe('exit status 203 (EXEC: its program cannot be run)')
    expect(exitText(210)).toBe('exit status 210 (CHROOT)')
  })

  it('is told with the same term in every language', () => {
    i18n.language = 'zh'
    expect(exitText(217)).toBe('退出码 217 (USER: 用户不存在)')
  })

  it('is told with what its signal means', () => {
    expect(signalText('SIGSEGV')).toBe('killed by SIGSEGV (invalid memory access)')
    expect(signalText('signal 40')).toBe('killed by signal 40')
  })
})

describe('the end of a process', () => {
  it('is told by the clock of its host, with how long it lived', () => {
    const row = { startedAt: '2026-03-14T09:26:53Z' }
    const end = { exitCode: 0, signal: null, lived: 0.05, at: 0 }
    expect(livedText(end)).toBe('50 ms')
    expect(endedAt(row, end).toISOString()).toBe('2026-03-14T09:26:53.050Z')
  })

  it('was some time before it was noticed, where the kernel did not tell', () => {
    const end = { exitCode: null, signal: null, at: 1_000 }
    expect(livedText({ ...end, lived: 2.04 })).toBe('≤ 2.0 s')
    expect(livedText({ ...end, lived: null })).toBe('')
    expect(endedAt({ startedAt: '' }, { ...end, lived: null }).getTime()).toBe(1_000)
  })

  it.each([
    [
      'by its status',
      203,
      null,
      'exit status 203',
      'exit status 203 (EXEC: its program cannot be run)',
    ],
    ['by a signal', null, 9, 'killed by SIGKILL', 'killed by SIGKILL (ended at once)'],
    ['by a signal without a name', null, 40, 'killed by SIG40', 'killed by SIG40'],
    ['that nobody saw', null, null, 'gone', ''],
  ])('%s', (_, exitCode, signal, short, full) => {
    expect(shortEnd({ exitCode, signal })).toBe(short)
    expect(fullEnd({ exitCode, signal })).toBe(full)
  })
})

describe('why a service failed', () => {
  it.each<[string, Partial<Service>, string, string]>([
    ['that did not', {}, '', ''],
    [
      'by its status',
      { result: 'exit-code', exitCode: 3 },
      'exit status 3',
      'a process failed: exit status 3',
    ],
    [
      'by a signal',
      { result: 'signal', signal: 'SIGKILL' },
      'killed by SIGKILL',
      'a process was killed: killed by SIGKILL (ended at once)',
    ],
    [
      'by its time, whatever ended it then',
      { result: 'timeout', signal: 'SIGTERM' },
      'took too long',
      'took too long: killed by SIGTERM (asked to end)',
    ],
    ['by a word that is new', { result: 'moon-phase' }, 'moon-phase', 'moon-phase'],
  ])('%s', (_, part, short, full) => {
    expect(shortReason(service(part))).toBe(short)
    expect(fullReason(service(part))).toBe(full)
  })
})

describe('how a service stands', () => {
  it.each([
    ['active', 'running', 'active (running)', 'Running'],
    ['failed', 'failed', 'failed', 'Failed'],
    // A script of /etc/init.d that ended without removing its PID file.
    ['failed', 'dead', 'failed (dead)', 'Failed'],
    ['unknown', 'unknown', 'unknown', 'Unknown'],
    ['activating', 'newly-made', 'activating (newly-made)', 'Starting'],
    ['newer', 'newly-made', 'newer (newly-made)', 'newer (newly-made)'],
  ])('%s, %s', (activeState, subState, said, words) => {
    const one = service({ activeState, subState })
    expect(stateTerm(one)).toBe(said)
    expect(stateWords(one)).toBe(words)
    expect(shortState(one)).toBe(said)
  })

  it('and why it failed, on its row', () => {
    const one = {
      activeState: 'activating',
      subState: 'auto-restart',
      result: 'exit-code',
      exitCode: 4,
    }
    expect(shortState(service(one))).toBe('auto-restart: exit status 4')
  })

  it('and that its file cannot be taken in', () => {
    const one = { activeState: 'inactive', subState: 'dead', loadState: 'bad-setting' }
    expect(shortState(service(one))).toBe('inactive: bad-setting')
    i18n.language = 'zh'
    expect(shortState(service(one))).toBe('未运行：配置有误')
    expect(shortState(service({ ...one, loadState: 'masked' }))).toBe('未运行')
  })
})
