import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Acting, actionsFor, isNamed, repeatable } from './acting.svelte'
import { ApiError } from './api'
import type { Api } from './api'
import type { Operations } from './operations.svelte'
import type { Operation, Process, Service, ServiceReply } from './wire.gen'

function service(name: string, part: Partial<Service> = {}): Service {
  return {
    name,
    manager: 'systemd',
    description: '',
    loadState: 'loaded',
    activeState: 'active',
    subState: 'running',
    unitFileState: 'enabled',
    result: '',
    exitCode: null,
    signal: '',
    mainPid: 100,
    pids: [100],
    ports: [],
    cpuPercent: null,
    memory: null,
    since: null,
    actions: [],
    ...part,
  }
}

const process: Process = {
  pid: 100,
  startTime: 5,
  startedAt: '2026-03-14T09:26:53Z',
  ppid: 1,
  user: 'www-data',
  state: 'S',
  nice: 0,
  comm: 'web',
  cmdline: '/usr/sbin/web',
  cpuPercent: 0,
  rss: 0,
  vsize: 0,
  threads: 1,
  unit: 'web.service',
  slice: 'system.slice',
}

let detail: Partial<ServiceReply>
let others: Service[]
let refusal: ApiError | null
let sent: [string, unknown][]
let acting: Acting

const operation = { id: '7' } as Operation
const began = vi.fn()
const ask = vi.fn(() => 'asked-1')
const refused = vi.fn()
/** What becomes of what has begun. */
let end: Operation['retStatus']
const ended = (begun: Operation) => Promise.resolve({ ...begun, retStatus: end })
const api = {
  call: (method: string, path: string, body?: unknown) => {
    if (method === 'POST') {
      if (refusal) return Promise.reject(refusal)
      sent.push([path, body])
      return Promise.resolve({ operation })
    }
    if (path.startsWith('/processes/')) return Promise.resolve({ process })
    if (path === '/services') return Promise.resolve({ services: others })
    return Promise.resolve({
      service: service('web.service'),
      dependencies: {},
      stopsToo: [],
      guarded: '',
      lastLines: [],
      connected: [],
      carriesSession: false,
      errors: {},
      ...detail,
    } satisfies ServiceReply)
  },
} as unknown as Api

const question = () => vi.waitFor(() => expect(acting.question).not.toBeNull())

beforeEach(() => {
  detail = {}
  others = []
  refusal = null
  end = 'succeeded'
  sent = []
  for (const told of [ask, began, refused]) told.mockClear()
  acting = new Acting(api, { news: { ask, began }, refused, ended } as unknown as Operations)
})

const actions = '/services/systemd%3Aweb.service/actions'

describe('an act on a service', () => {
  it.each(['start', 'stop', 'restart', 'reload', 'disable'] as const)(
    'asks nothing where nothing is lost: %s',
    async (action) => {
      await acting.service('systemd:web.service', action)
      expect(sent).toEqual([[actions, { action }]])
      expect(ask).toHaveBeenCalledWith(expect.any(String), `service.${action}`, 'web.service')
      expect(began).toHaveBeenCalledWith(operation, 'asked-1')
    },
  )

  it.each<[string, Partial<ServiceReply>]>([
    ['what stops with it', { stopsToo: ['app.service'] }],
    ['who is connected', { connected: [{ address: '10.0.0.9', connections: 2 }] }],
    ['that the page itself comes through it', { carriesSession: true }],
    ['what will start it again', { dependencies: { triggeredBy: ['web.socket'] } }],
  ])('asks first, and tells %s', async (_, part) => {
    detail = part
    const done = acting.service('systemd:web.service', 'stop')
    await question()
    expect(acting.question).toMatchObject({ kind: 'service', action: 'stop', name: 'web.service' })
    expect(sent).toEqual([])
    acting.answer('yes')
    await done
    expect(acting.question).toBeNull()
    expect(sent).toEqual([[actions, { action: 'stop' }]])
  })

  it('is not done when the answer is no, and that is no news', async () => {
    detail = { stopsToo: ['app.service'] }
    const done = acting.service('systemd:web.service', 'restart')
    await question()
    acting.answer('no')
    await done
    expect(sent).toEqual([])
    expect(ask).not.toHaveBeenCalled()
    expect(refused).not.toHaveBeenCalled()
  })

  it('names only those that run', async () => {
    others = [service('app.service'), service('old.service', { activeState: 'inactive' })]
    detail = { stopsToo: ['app.service', 'old.service', 'data.mount'] }
    const done = acting.service('systemd:web.service', 'stop')
    await question()
    expect(acting.question).toMatchObject({ stakes: { stops: ['app.service', 'data.mount'] } })
    acting.answer('no')
    await done
    others = [service('app.service', { activeState: 'failed' })]
    detail = { stopsToo: ['app.service'] }
    await acting.service('systemd:web.service', 'stop')
    expect(sent).toHaveLength(1)
  })

  it('costs nothing when the service does not run', async () => {
    const idle = service('web.service', { activeState: 'inactive' })
    detail = { service: idle, stopsToo: ['app.service'] }
    await acting.service('systemd:web.service', 'stop')
    expect(sent).toHaveLength(1)
  })

  it('repeats the name of a guarded one', async () => {
    detail = { guarded: 'is how one gets into this host' }
    const done = acting.service('web', 'stop')
    await question()
    acting.answer('yes')
    await done
    expect(sent).toEqual([['/services/web/actions', { action: 'stop', confirm: 'web.service' }]])
  })

  it('with others is done for each, whatever becomes of one', async () => {
    refusal = new ApiError('conflict', 'its name must be typed')
    await acting.serviceAll([service('a.service'), service('b.service')], 'restart', vi.fn())
    expect(refused).toHaveBeenCalledTimes(2)
    expect(acting.question).toBeNull()
  })

  it('together with others costs what they do not name themselves', async () => {
    const both = [service('web.service'), service('app.service')]
    expect(await acting.costsOf(both, 'stop')).toBeNull()
    detail = {
      stopsToo: ['app.service', 'db.service'],
      connected: [{ address: '10.0.0.9', connections: 2 }],
    }
    expect(await acting.costsOf(both, 'stop')).toEqual({
      stops: ['db.service'],
      triggers: [],
      connected: [{ address: '10.0.0.9', connections: 4 }],
      carriesSession: false,
      guarded: '',
    })
    expect(await acting.costsOf(both, 'start')).toBeNull()
  })

  it('that is refused is told, by what was asked for', async () => {
    refusal = new ApiError('not_found', 'there is no service "web"')
    await acting.service('systemd:web', 'start')
    expect(refused).toHaveBeenCalledWith('Start service: web', refusal, 'asked-1')
  })

  it('gives way to the next one that asks', async () => {
    detail = { stopsToo: ['app.service'] }
    const first = acting.service('systemd:web.service', 'stop')
    await question()
    const second = acting.service('systemd:web.service', 'restart')
    await first
    await vi.waitFor(() => expect(acting.question).toMatchObject({ action: 'restart' }))
    acting.answer('yes')
    await second
    expect(sent).toEqual([[actions, { action: 'restart' }]])
  })
})

describe('an act on several', () => {
  const other: Process = { ...process, pid: 200 }

  it.each([
    ['has succeeded', 'succeeded', 1],
    ['has failed', 'failed', 0],
    ['was interrupted', 'interrupted', 0],
  ] as const)('is done with one where it %s', async (_, status, times) => {
    end = status
    const done = vi.fn()
    const web = service('web.service')
    await acting.serviceAll([web], 'restart', done)
    await acting.signalAll([process], 'TERM', done)
    await Promise.resolve()
    expect(done.mock.calls).toEqual([[web], [process]].slice(0, 2 * times))
  })

  it('is not done with those where it was refused', async () => {
    refusal = new ApiError('conflict', 'process 100 is another one by now')
    const done = vi.fn()
    await acting.signalAll([process, other], 'TERM', done)
    await Promise.resolve()
    expect(done).not.toHaveBeenCalled()
  })
})

describe('a signal', () => {
  it.each(['STOP', 'CONT'] as const)(
    'that can be taken back is sent at once: %s',
    async (signal) => {
      await acting.signal(process, signal)
      expect(sent).toEqual([['/processes/100/signals', { signal, startTime: 5 }]])
    },
  )

  it('that may end a process asks first, and offers to stop its service', async () => {
    const done = acting.signal(process, 'KILL')
    await question()
    expect(acting.question).toMatchObject({ process, service: { name: 'web.service' } })
    acting.answer('stop service')
    await done
    expect(sent).toEqual([[actions, { action: 'stop' }]])
  })

  it('to another process of a service offers no more than itself', async () => {
    detail = { service: service('web.service', { mainPid: 99 }) }
    const done = acting.signal(process, 'TERM')
    await question()
    expect(acting.question).toMatchObject({ service: null })
    acting.answer('yes')
    await done
    expect(sent).toEqual([['/processes/100/signals', { signal: 'TERM', startTime: 5 }]])
  })

  it('that misses its process is told', async () => {
    refusal = new ApiError('conflict', 'process 100 is another one by now')
    await acting.signal(process, 'STOP')
    expect(refused).toHaveBeenCalledWith('Signal process: SIGSTOP → web (100)', refusal, 'asked-1')
  })
})

describe('a command', () => {
  it('leads to its record', async () => {
    expect(await acting.command('uptime', 60)).toBe('7')
    expect(sent).toEqual([['/commands', { command: 'uptime', timeout: 60 }]])
  })

  it('that is refused leads nowhere', async () => {
    refusal = new ApiError('invalid', 'a quote is not closed')
    expect(await acting.command('echo "', 60)).toBeNull()
    expect(refused).toHaveBeenCalledWith('Run command: echo "', refusal, 'asked-1')
  })
})

describe('what a record tells of', () => {
  const record = (part: Partial<Operation>) =>
    ({ retStatus: 'failed', message: '', ...part }) as Operation

  it('is done again with all that is asked at a first time', async () => {
    detail = { guarded: 'is how one gets into this host' }
    const done = acting.again(record({ logType: 'service.restart', target: 'web.service' }))
    await question()
    acting.answer('yes')
    await done
    expect(sent).toEqual([
      ['/services/web.service/actions', { action: 'restart', confirm: 'web.service' }],
    ])
  })

  it('is sent again to the same process only', async () => {
    const done = acting.again(
      record({
        logType: 'process.signal',
        target: '100:5',
        message: 'sent SIGTERM to process 100',
      }),
    )
    await question()
    acting.answer('yes')
    await done
    expect(sent).toEqual([['/processes/100/signals', { signal: 'TERM', startTime: 5 }]])
  })

  it('is run again when one has seen what it is, for as long as one says', async () => {
    const done = acting.again(record({ logType: 'command.run', target: 'rm -r /tmp/x' }))
    await question()
    expect(acting.question).toEqual({ kind: 'command', command: 'rm -r /tmp/x' })
    acting.answer({ timeout: 600 })
    await done
    expect(sent).toEqual([['/commands', { command: 'rm -r /tmp/x', timeout: 600 }]])
  })

  it.each<[string, Partial<Operation>]>([
    ['still going on', { logType: 'service.start', retStatus: 'running' }],
    ['no act on the host', { logType: 'user.add' }],
    ['a signal that is not told', { logType: 'process.signal', message: 'SIGCHLD' }],
    ['a command that the log cut', { logType: 'command.run', target: 'é'.repeat(2100) }],
  ])('is not done again where it is %s', (_, part) =>
    expect(repeatable(record({ target: '', ...part }))).toBeNull(),
  )

  it('is cancelled, and what hinders that is told', async () => {
    const running = record({ id: '9', logType: 'service.start', target: 'web.service' })
    await acting.cancel(running)
    expect(sent).toEqual([['/operations/9/cancel', {}]])
    refusal = new ApiError('conflict', 'operation 9 has ended')
    await acting.cancel(running)
    expect(refused).toHaveBeenCalledWith(
      'Cancel it: Start service: web.service',
      refusal,
      undefined,
    )
  })
})

describe('a name that was typed', () => {
  it.each([
    ['ssh.service', true],
    ['ssh', true],
    [' ssh ', true],
    ['', false],
    ['.service', false],
    ['sshd', false],
  ])('%j is ssh.service: %s', (typed, same) => {
    expect(isNamed(typed, 'ssh.service')).toBe(same)
  })
})

describe('what is offered', () => {
  it('is what the server says can be done, in one order', () => {
    const actions = ['reset-failed', 'start', 'something of a newer server', 'enable']
    expect(actionsFor(service('web.service', { actions }))).toEqual([
      'start',
      'enable',
      'reset-failed',
    ])
  })
})
