import { beforeEach, describe, expect, it, vi } from 'vitest'
import { ApiError } from './api'
import type { Api } from './api'
import { Operations } from './operations.svelte'
import { told } from './told'
import type { Operation, OperationsReply } from './wire.gen'

function record(id: number, part: Partial<Operation> = {}): Operation {
  return {
    id: `${id}`,
    logTime: '2026-03-14T09:26:53Z',
    logType: 'user.add',
    target: 'grace',
    actor: 'ada',
    source: '::1',
    retStatus: 'succeeded',
    message: '',
    detail: '',
    exitCode: null,
    duration: 0,
    logStatus: 'new',
    seenBy: '',
    ...part,
  }
}

/** The server's log, newest first. */
let log: Operation[]
let asked: string[]
let operations: Operations
const pageSize = 3

const api = {
  call: vi.fn((method: string, path: string) => {
    asked.push(`${method} ${path}`)
    const url = new URL(path, 'http://localhost')
    if (method === 'POST') {
      log = log.map((op) => ({ ...op, logStatus: 'seen' as const }))
      return Promise.resolve({ unseen: 0 })
    }
    if (url.searchParams.get('q') === '!') return Promise.reject(new ApiError('invalid', 'no', 0))
    const id = /^\/operations\/(\d+)$/.exec(url.pathname)?.[1]
    if (id) return Promise.resolve({ operation: log.find((op) => op.id === id) })
    const status = url.searchParams.get('retStatus')
    const before = Number(url.searchParams.get('before') ?? Infinity)
    const older = log.filter(
      ({ id, retStatus }) => Number(id) < before && (!status || status === retStatus),
    )
    if (Number.isFinite(searchedAtOnce)) return Promise.resolve(searched(older, before < Infinity))
    const page = older.slice(0, pageSize)
    const next = older.length > pageSize ? (page.at(-1)?.id ?? '') : ''
    const unseen = log.filter(({ logStatus }) => logStatus === 'new').length
    return Promise.resolve({
      total: log.length,
      atLeast: false,
      unseen,
      next,
      operations: page,
    } satisfies OperationsReply)
  }),
} as unknown as Api

/** How many records the server looks at before it ends a search. */
let searchedAtOnce = Infinity

/** What a search for the target "x" comes to see of these; for what is newer, which only the count needs, no time is left. */
function searched(older: Operation[], hasNewer: boolean): OperationsReply {
  const seen = older.slice(0, searchedAtOnce)
  const cut = older.length > searchedAtOnce
  const operations = seen.filter(({ target }) => target === 'x')
  const next = cut ? (seen.at(-1)?.id ?? '') : ''
  return { total: operations.length, atLeast: cut || hasNewer, unseen: 0, next, operations }
}

const all = { q: '', logType: '', retStatus: '', logStatus: '' }
const ids = () => operations.log.map(({ id }) => id)

beforeEach(() => {
  asked = []
  searchedAtOnce = Infinity
  log = [9, 8, 7, 6, 5, 4, 3].map((id) => record(id))
  operations = new Operations(api)
})

describe('the end of what has begun', () => {
  const begun = record(10, { retStatus: 'running' })
  const end = record(10, { retStatus: 'failed' })

  it('is known when it comes', async () => {
    const known = operations.ended(begun)
    operations.arrived(end, 1)
    expect(await known).toBe(end)
  })

  it('may have come before the answer that tells that it began', async () => {
    operations.arrived(end, 1)
    expect(await operations.ended(begun)).toBe(end)
  })

  it('is asked for when the connection was lost meanwhile', async () => {
    const known = operations.ended(begun)
    log = [end, ...log]
    await operations.welcome('ada', 0)
    expect(await known).toEqual(end)
  })

  it('stands against an answer that is older', async () => {
    log = [begun, ...log]
    const asked = [operations.open(all), operations.welcome('ada', 0), operations.find('10')]
    operations.arrived(end, 1)
    await Promise.all(asked)
    await operations.refresh()
    expect(operations.log[0]).toBe(end)
    expect(operations.running.size).toBe(0)
    expect(await operations.find('10')).toBe(end)
    operations.close()
    expect(await operations.find('10')).toBe(end)
  })
})

describe('news', () => {
  it('is one notice an operation, through all its phases', () => {
    operations.arrived(record(10, { retStatus: 'running' }), 1)
    operations.arrived(record(10, { retStatus: 'failed' }), 1)
    expect(operations.news.notices).toHaveLength(1)
    expect(operations.news.notices[0]).toMatchObject({
      key: '10',
      operation: { retStatus: 'failed' },
    })
    expect(operations.unseen).toBe(1)
  })

  it('is an act of one’s own on the host, but not another’s', async () => {
    await operations.welcome('ada', 0)
    operations.arrived(record(10, { logType: 'service.stop', actor: 'grace' }), 1)
    expect(operations.news.notices).toEqual([])
    operations.arrived(record(11, { logType: 'service.stop', actor: 'ada' }), 2)
    expect(operations.news.notices.map(({ key }) => key)).toEqual(['11'])
    expect(operations.unseen).toBe(2)
  })

  it('is also that what one started failed afterwards', async () => {
    await operations.welcome('ada', 0)
    const part = { target: 'web.service', actor: 'ada' }
    operations.arrived(record(10, { ...part, logType: 'service.start' }), 1)
    const failed = {
      logType: 'service.failed',
      retStatus: 'failed',
      message: 'web.service: failed 0.3 s after its start: exit status 3: no such table',
    } as const
    operations.arrived(record(11, { ...part, ...failed }), 2)
    operations.arrived(record(12, { ...part, ...failed, actor: 'grace' }), 3)
    // In the place of what it belies.
    expect(operations.news.notices.map(({ key }) => key)).toEqual(['10'])
    expect(operations.news.notices.map(told)).toEqual([
      {
        tone: 'bad',
        title: 'Service failed later: web.service',
        status: 'failed',
        detail: 'failed 0.3 s after its start: exit status 3: no such table',
      },
    ])
  })

  it('comes to its end although the connection was lost meanwhile', async () => {
    operations.arrived(record(9, { retStatus: 'running' }), 1)
    await operations.welcome('ada', 1)
    expect(operations.news.notices).toMatchObject([
      { operation: { id: '9', retStatus: 'succeeded' } },
    ])
  })

  it('is not what is seen from the start', () => {
    operations.arrived(record(10, { logType: 'session.login', logStatus: 'seen' }), 0)
    expect(operations.news.notices).toEqual([])
  })

  it('is a refusal too, which the log knows nothing of', () => {
    operations.refused('Remove grace', new ApiError('conflict', 'the last admin cannot go'))
    expect(operations.news.notices[0]).toMatchObject({
      what: 'Remove grace',
      refusal: { code: 'conflict' },
    })
    expect(operations.log).toEqual([])
  })

  it('is not that one gave a wrong password oneself, which the form that asked for it tells', async () => {
    await operations.welcome('ada', 0)
    const denied = { logType: 'session.denied', target: 'ada', retStatus: 'failed' } as const
    operations.arrived(record(10, { ...denied, actor: 'ada' }), 1)
    expect(operations.news.notices).toEqual([])
    operations.arrived(record(11, { ...denied, actor: '' }), 2)
    expect(operations.news.notices).toMatchObject([{ operation: { id: '11' } }])
    expect(operations.unseen).toBe(2)
  })

  it('is not that one chose not to give the password', () => {
    operations.refused('Remove grace', new ApiError('reauthenticate'))
    expect(operations.news.notices).toEqual([])
  })

  it('is bounded and goes when it is dismissed', () => {
    for (let id = 10; id < 20; id++) operations.arrived(record(id), 1)
    expect(operations.news.notices.map(({ key }) => key)).toEqual(['15', '16', '17', '18', '19'])
    operations.news.dismiss('17')
    expect(operations.news.notices.map(({ key }) => key)).toEqual(['15', '16', '18', '19'])
  })
})

describe('what was asked and not answered', () => {
  const part = { logType: 'service.stop', target: 'web.service', actor: 'ada' } as const
  const lose = () => {
    const key = operations.news.ask('Stop service: web', 'service.stop', 'web')
    vi.mocked(api.call).mockRejectedValueOnce(new ApiError('unreachable'))
    operations.refused('Stop service: web', new ApiError('unreachable'), key)
  }
  const notices = () => operations.news.notices.map(told)

  beforeEach(async () => {
    log = [record(9, part), ...log.slice(1)]
    await operations.welcome('ada', 0)
  })

  it('is its record when the connection is back', async () => {
    lose()
    expect(notices()).toMatchObject([{ tone: 'warn' }])
    log = [record(11, { ...part, actor: 'grace' }), record(10, part), ...log]
    await operations.welcome('ada', 2)
    expect(operations.news.notices).toMatchObject([{ operation: { id: '10' } }])
    expect(notices()).toMatchObject([{ tone: 'good' }])
  })

  it('is a record each where it was asked twice', async () => {
    lose()
    lose()
    log = [record(11, { ...part, retStatus: 'failed' }), record(10, part), ...log]
    await operations.welcome('ada', 2)
    expect(notices()).toMatchObject([{ tone: 'good' }, { tone: 'bad', status: 'failed' }])
  })

  it('was not done where the log has no record of it since', async () => {
    lose()
    log = [record(10, { ...part, actor: 'grace' }), ...log]
    await operations.welcome('ada', 1)
    expect(notices()).toMatchObject([
      { tone: 'bad', detail: 'The log has no record of it: it was not done.' },
    ])
    operations.arrived(record(11, part), 1)
    expect(notices()).toMatchObject([{ tone: 'good' }])
  })

  it('was not done either where the live connection did not break', async () => {
    const key = operations.news.ask('Stop service: web', 'service.stop', 'web')
    operations.refused('Stop service: web', new ApiError('unreachable'), key)
    await vi.waitFor(() => expect(notices()).toMatchObject([{ tone: 'bad' }]))
  })

  it('stays open where the log has come too far to tell', async () => {
    lose()
    log = [13, 12, 11, 10].map((id) => record(id)).concat(log)
    await operations.welcome('ada', 4)
    expect(notices()).toMatchObject([{ tone: 'warn' }])
  })

  it('stays open where the log was not heard of before', async () => {
    operations = new Operations(api)
    lose()
    await operations.welcome('ada', 0)
    expect(notices()).toMatchObject([{ tone: 'warn' }])
  })
})

describe('what is being done', () => {
  const act = (id: number, part: Partial<Operation> = {}) =>
    record(id, { logType: 'service.start', target: 'web.service', retStatus: 'running', ...part })
  const running = () => [...operations.running.values()].map(({ id }) => id)

  it('is known by what it acts on, whoever does it, until it ends', () => {
    operations.arrived(act(10, { actor: 'grace' }), 1)
    operations.arrived(act(11), 1)
    operations.arrived(act(12, { logType: 'command.run' }), 1)
    expect(operations.actOn('web.service')).toMatchObject({ id: '11' })
    operations.arrived(act(11, { retStatus: 'failed' }), 1)
    expect(operations.actOn('web.service')).toMatchObject({ id: '10' })
    operations.arrived(act(10, { retStatus: 'succeeded' }), 1)
    expect(operations.actOn('web.service')).toBeUndefined()
    expect(running()).toEqual(['12'])
  })

  it('is asked for when the connection is there, and what ended meanwhile is forgotten', async () => {
    operations.arrived(act(10), 1)
    log = [act(12)]
    await operations.welcome('ada', 1)
    expect(running()).toEqual(['12'])
  })
})

describe('the log', () => {
  it('comes page by page', async () => {
    await operations.open(all)
    expect(ids()).toEqual(['9', '8', '7'])
    await operations.more()
    await operations.more()
    await operations.more()
    expect(ids()).toEqual(['9', '8', '7', '6', '5', '4', '3'])
    expect(asked).toHaveLength(3)
  })

  it('takes in what is new and keeps the older pages', async () => {
    await operations.open(all)
    await operations.more()
    log = [record(10), ...log]
    operations.arrived(record(10), 8)
    await vi.waitFor(() => expect(ids()).toEqual(['10', '9', '8', '7', '6', '5', '4']))
    await operations.more()
    expect(ids()).toEqual(['10', '9', '8', '7', '6', '5', '4', '3'])
  })

  it('begins anew where so much came that there would be a gap', async () => {
    await operations.open(all)
    await operations.more()
    log = [14, 13, 12, 11, 10].map((id) => record(id)).concat(log)
    await operations.refresh()
    expect(ids()).toEqual(['14', '13', '12'])
    await operations.more()
    expect(ids()).toEqual(['14', '13', '12', '11', '10', '9'])
  })

  it('changes the row of an operation that goes on, without asking', async () => {
    await operations.open(all)
    operations.arrived(record(8, { retStatus: 'interrupted' }), 7)
    expect(operations.log[1]?.retStatus).toBe('interrupted')
    expect(asked).toHaveLength(1)
  })

  it('asks for nothing while nobody looks at it', () => {
    operations.arrived(record(10), 8)
    operations.counted(3)
    expect(asked).toEqual([])
    expect(operations.unseen).toBe(3)
  })

  it('is filtered by the server', async () => {
    await operations.open({ ...all, q: 'ada', retStatus: 'failed' })
    expect(asked).toEqual(['GET /operations?q=ada&retStatus=failed'])
  })

  it('tells that a query cannot be read, and keeps its rows', async () => {
    await operations.open(all)
    await operations.open({ ...all, q: '!' })
    expect(operations.failure).toMatchObject({ code: 'invalid', position: 0 })
    expect(ids()).toEqual(['9', '8', '7'])
    await operations.open(all)
    expect(operations.failure).toBeNull()
  })

  it('keeps its rows while the server is away, but under no other filter', async () => {
    const away = () => vi.mocked(api.call).mockRejectedValueOnce(new ApiError('unreachable'))
    await operations.open(all)
    away()
    await operations.refresh()
    expect(ids()).toEqual(['9', '8', '7'])
    away()
    await operations.open({ ...all, retStatus: 'failed' })
    expect(operations.failure).toMatchObject({ code: 'unreachable' })
    expect(ids()).toEqual([])
  })

  it('shows the answer to the last question, whichever comes last', async () => {
    const first = operations.open(all)
    const second = operations.open({ ...all, q: 'x' })
    await Promise.all([first, second])
    expect(asked).toHaveLength(2)
    expect(ids()).toEqual(['9', '8', '7'])
  })

  it('marks as seen', async () => {
    await operations.open(all)
    await operations.see(['9'])
    expect(operations.unseen).toBe(0)
    expect(operations.log[0]?.logStatus).toBe('seen')
  })
})

describe('a search of more than the server looks at in one go', () => {
  beforeEach(() => {
    searchedAtOnce = 2
    log = log.map((op) => ({ ...op, target: ['8', '3'].includes(op.id) ? 'x' : '' }))
  })

  it('is not at its end where it was cut, and goes on from there', async () => {
    await operations.open({ ...all, q: 'x' })
    expect(operations).toMatchObject({ cut: true, next: '8', total: 1, atLeast: true })
    await vi.waitFor(() => expect(operations.searchedTo).toBe('2026-03-14T09:26:53Z'))
    await operations.more()
    expect(operations).toMatchObject({ cut: true, next: '6', total: 1, atLeast: true })
    await operations.more()
    await operations.more()
    expect(operations).toMatchObject({ cut: false, next: '', total: 2, atLeast: false })
    expect(ids()).toEqual(['8', '3'])
  })

  it('does not begin anew when a record comes', async () => {
    await operations.open({ ...all, q: 'x' })
    await operations.more()
    await operations.more()
    log = [record(10, { target: 'x' }), ...log]
    operations.arrived(record(10), 1)
    await vi.waitFor(() => expect(ids()).toEqual(['10', '8']))
    expect(operations).toMatchObject({ cut: true, next: '4', total: 2 })
    await operations.more()
    expect(operations).toMatchObject({ cut: false, total: 3 })
    expect(ids()).toEqual(['10', '8', '3'])
  })

  it('asks once for a page, however often it is wanted', async () => {
    await operations.open({ ...all, q: 'x' })
    await Promise.all([operations.more(), operations.more()])
    expect(asked.filter((call) => call.includes('before='))).toHaveLength(1)
  })
})
