import { beforeEach, describe, expect, it } from 'vitest'
import { ApiError } from './api'
import { News } from './news.svelte'
import { reasonOf, titleOf, told } from './told'
import type { Operation } from './wire.gen'

const record = (id: number, part: Partial<Operation> = {}) =>
  ({
    id: `${id}`,
    logType: 'service.restart',
    target: 'web.service',
    retStatus: 'running',
    message: '',
    ...part,
  }) as Operation

let news: News
const ask = (target = 'web.service') =>
  news.ask(`Restart service: ${target}`, 'service.restart', target)
const statuses = () => news.notices.map((notice) => told(notice).status)

beforeEach(() => {
  news = new News()
})

describe('an act that was asked for', () => {
  it('is one notice from there to its end', () => {
    const key = ask()
    expect(statuses()).toEqual(['asked'])
    news.began(record(7), key)
    expect(statuses()).toEqual(['running'])
    news.tell(record(7, { retStatus: 'succeeded' }))
    expect(statuses()).toEqual(['succeeded'])
    expect(news.notices.map((notice) => notice.key)).toEqual([key])
  })

  it.each(['web.service', 'web'])(
    'is one notice too where the live connection is quicker than the answer: %s',
    (target) => {
      const key = ask(target)
      news.tell(record(7))
      news.tell(record(7, { retStatus: 'failed' }))
      news.began(record(7), key)
      expect(statuses()).toEqual(['failed'])
      expect(news.notices).toMatchObject([{ key, operation: { id: '7' } }])
    },
  )

  it('is the same notice where its service fails a moment later', () => {
    news.tell(record(6, { target: 'db.service', retStatus: 'succeeded' }))
    const key = ask()
    news.began(record(7), key)
    news.tell(record(7, { retStatus: 'succeeded' }))
    news.tell(record(8, { logType: 'service.failed', retStatus: 'failed' }))
    expect(statuses()).toEqual(['succeeded', 'failed'])
    expect(news.notices[1]).toMatchObject({ key, operation: { id: '8' } })
  })

  it('is not taken for another one', () => {
    ask()
    news.tell(record(7, { logType: 'service.stop' }))
    news.tell(record(8, { target: 'db.service' }))
    expect(statuses()).toEqual(['asked', 'running', 'running'])
  })

  it('is one notice where its record could not be recognised', () => {
    const key = ask('systemd alias')
    news.tell(record(7, { retStatus: 'succeeded' }))
    news.began(record(7), key)
    expect(statuses()).toEqual(['succeeded'])
  })

  it('is told where it was refused', () => {
    const key = ask()
    news.refuse('Restart service: web', new ApiError('not_found', 'there is no service "web"'), key)
    expect(news.notices.map(told)).toMatchObject([
      { tone: 'bad', title: 'Restart service: web', status: 'There is no service "web".' },
    ])
    news.tell(record(9))
    expect(news.notices).toHaveLength(2)
  })

  it('is left open where no answer came, and found by its record', () => {
    const key = ask()
    news.refuse('Restart service: web', new ApiError('unreachable'), key)
    expect(news.notices.map(told)).toMatchObject([
      { tone: 'warn', detail: expect.stringContaining('not known') as string },
    ])
    news.tell(record(9, { retStatus: 'succeeded' }))
    expect(news.notices).toMatchObject([{ key, operation: { id: '9' } }])
  })
})

describe('news', () => {
  it('is gone when somebody else may sign in', () => {
    ask()
    news.clear()
    expect(news.notices).toEqual([])
  })

  it('does not say twice what it is about', () => {
    const failed = record(7, { message: 'web.service: restart failed: exit status 3' })
    expect(titleOf(failed)).toBe('Restart service: web.service')
    expect(reasonOf(failed)).toBe('exit status 3')
    expect(titleOf(record(8, { logType: 'process.signal', target: '7:42' }))).toBe('Signal process')
  })
})

it('all refused sign-ins are one notice, of the last of them', () => {
  news.tell(record(7, { logType: 'session.denied', target: 'root', retStatus: 'failed' }))
  news.tell(record(8, { logType: 'service.stop' }))
  news.tell(record(9, { logType: 'session.denied', target: 'admin', retStatus: 'failed' }))
  expect(news.notices.map(({ operation }) => operation?.id)).toEqual(['9', '8'])
})
