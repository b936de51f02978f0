import type { BrowserContextOptions, Page } from 'playwright-core'
import { afterEach, describe, expect, it } from 'vitest'
import { axe, phone } from './browser'
import * as use from './use'
import type { ProcessDetail, ServiceReply } from '../src/lib/wire.gen'
import { iso, operation, process as row, service } from './world'
import type { World } from './world'

// How a page looks in states that one seldom sees.

const pages = await use.usePages()
afterEach(() => pages.leave())

const staged = (path: string, part?: Partial<World>, options?: BrowserContextOptions) =>
  use.staged(pages, path, part, options)

describe.each([
  ['a desk', {}],
  ['a phone', phone],
] as const)('on %s, the record of a command', (_, options) => {
  const command = { logType: 'command.run', target: 'make all', logStatus: 'new' } as const
  const running = operation(60, { ...command, retStatus: 'running', message: '' })
  const failed = operation(60, {
    ...command,
    retStatus: 'failed',
    message: 'make failed, exit status 2',
  })

  it('has no toast over it that tells what it tells, but one when it is left while it runs', async () => {
    const { page, stage } = await staged(
      '/services?record=60',
      { operations: [running] },
      { ...options, locale: 'en-GB' },
    )
    await page.getByText('Live', { exact: true }).waitFor()
    const news = page.getByRole('region', { name: 'News' })
    const record = page.getByRole('complementary', { name: 'Record' })
    stage.tell(running, 1)
    stage.tell(operation(61, { ...command, target: 'ls', retStatus: 'running', message: '' }), 2)
    await news.getByText('Run command: ls').waitFor()
    expect(await news.getByRole('listitem').count()).toBe(1)
    await record.getByRole('button', { name: 'Close' }).click()
    await news.getByText('Run command: make all').waitFor()
    await news.getByRole('link', { name: 'Open record' }).first().click()
    stage.tell(running, 1)
    await record.getByText('make all').first().waitFor()
    stage.tell(failed, 1)
    await record.getByText('exit status 2').waitFor()
    await page
      .getByRole('log')
      .getByText('Run command: make all. failed. exit status 2')
      .waitFor({ state: 'attached' })
    expect(await axe(page)).toEqual([])
    await record.getByRole('button', { name: 'Close' }).click()
    expect(await news.getByText('make all').count()).toBe(0)
  })
})

/** A page that has nothing to show, and why: each has words of its own. */
const refuse =
  (wanted: string, status: number, code: string): World['answer'] =>
  async (route, path) => {
    if (path !== wanted) return false
    await route.fulfill({ status, json: { error: { code, message: 'cannot read it' } } })
    return true
  }

const viewer = {
  username: 'vera',
  role: 'viewer',
  expiresAt: iso(-1800),
  mustEnrol: false,
} as const

describe.each([
  ['a desk, in the dark', { colorScheme: 'dark' }],
  ['a phone, in light', { ...phone, colorScheme: 'light' }],
] as const)('a page without anything to show, on %s', (_, options) => {
  it.each<[string, string, Partial<World>, string]>([
    ['has nothing', '/services', { services: [] }, 'No services.'],
    ['finds nothing', '/processes?q=zzzz', {}, 'Nothing matches the search.'],
    [
      'could not read it',
      '/services',
      { services: [], errors: { services: 'cannot list services: permission denied' } },
      'They could not be read; why is told above.',
    ],
    [
      'is not for this role',
      '/users',
      { session: viewer },
      'This page is for the role Administrator; yours is Viewer.',
    ],
    ['is nowhere', '/nowhere', {}, 'There is nothing at this address.'],
  ])('says that it %s', async (_, path, part, text) => {
    const { page } = await staged(path, part, options)
    const said = page.getByText(text)
    await said.waitFor()
    expect(await axe(page)).toEqual([])
    // Not by words alone.
    expect(await said.locator('..').locator('svg').count()).toBe(1)
  })

  it.each<[string, World['answer']]>([
    ['/users', refuse('/users', 403, 'forbidden')],
    ['/processes?open=77777', refuse('/processes/77777', 404, 'not_found')],
    ['/services?open=no.service', refuse('/services/no.service', 404, 'not_found')],
    ['/log?open=999', refuse('/operations/999', 404, 'not_found')],
  ])('is not said to have failed where there is nothing to try again: %s', async (path, answer) => {
    const { page } = await staged(path, { answer }, options)
    const said = page.getByText('Cannot read it.')
    await said.waitFor()
    expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0)
    expect(await said.locator('..').locator('svg').count()).toBe(1)
    expect(await axe(page)).toEqual([])
  })

  it('says whether an output is not kept or could not be read', async () => {
    const record = operation(60, { logType: 'command.run', target: 'make all' })
    let answer = { status: 503, code: 'unavailable', message: 'cannot read the output' }
    const { page } = await staged(
      '/log?open=60',
      {
        operations: [record],
        answer: async (route, path) => {
          if (path !== '/operations/60/output') return false
          const { status, ...error } = answer
          await route.fulfill({ status, json: { error } })
          return true
        },
      },
      options,
    )
    const output = page.getByRole('region', { name: 'Output' })
    const failed = output.getByRole('alert')
    await failed.getByText('Cannot read the output.').waitFor()
    expect(await axe(page)).toEqual([])
    answer = { status: 404, code: 'not_found', message: 'the output of operation "60" is not kept' }
    await failed.getByRole('button', { name: 'Try again' }).click()
    await output.getByText('The output of operation "60" is not kept.').waitFor()
    expect(await output.getByRole('alert').count()).toBe(0)
    expect(await axe(page)).toEqual([])
  })

  it('says whether a journal is empty or could not be read', async () => {
    const detail = {
      service: service(0),
      dependencies: {},
      stopsToo: [],
      guarded: '',
      lastLines: [],
      connected: [],
      carriesSession: false,
      errors: {},
    } satisfies ServiceReply
    const { page, stage } = await staged(
      '/services?q=nginx.service',
      {
        answer: async (route, path) => {
          if (!path.startsWith('/services/')) return false
          await route.fulfill({ json: detail })
          return true
        },
      },
      options,
    )
    const journal = page.getByRole('region', { name: 'Journal' })
    const icon = (text: string) => journal.getByText(text).locator('..').locator('svg path')
    const shape = (text: string) => icon(text).first().getAttribute('d')
    const opener = page.getByRole('link', { name: 'nginx.service', exact: true })
    await opener.click()
    const empty = await shape('Nothing in the journal.')
    await page.getByRole('button', { name: 'Close' }).click()
    stage.refused.journal = { code: 'unavailable', message: 'cannot read the journal' }
    await opener.click()
    expect(await shape('Cannot read the journal.')).not.toBe(empty)
    expect(await axe(page)).toEqual([])
  })

  it('says that it waits', async () => {
    const answer: World['answer'] = (_, path) =>
      path === '/host' ? new Promise(() => {}) : Promise.resolve(false)
    const { page } = await staged('/host', { answer }, options)
    await page.getByText('Loading …').waitFor()
    expect(await axe(page)).toEqual([])
  })

  it.each<[string, World['answer']]>([
    ['/host', refuse('/host', 503, 'unavailable')],
    ['/log?open=7', refuse('/operations/7', 503, 'unavailable')],
    ['/processes?open=235:165', refuse('/processes/235', 503, 'unavailable')],
    ['/services?open=nginx.service', refuse('/services/nginx.service', 503, 'unavailable')],
  ])('can be asked for again where that may help: %s', async (path, answer) => {
    let away: Promise<void> | null = null
    let back = () => {}
    const { page } = await staged(
      path,
      {
        operations: [],
        answer: async (route, path) => {
          if (!away) return (await answer?.(route, path)) ?? false
          await away
          return false
        },
      },
      options,
    )
    const told = page.getByText('Cannot read it.')
    await told.waitFor()
    expect(await axe(page)).toEqual([])
    // A panel asks by itself, too: nothing is answered before one has asked.
    away = new Promise((resolve) => (back = resolve))
    await page.getByRole('alert').getByRole('button', { name: 'Try again' }).click()
    back()
    await told.waitFor({ state: 'detached' })
  })
})

it.each([
  ['a desk', {}],
  ['a phone', phone],
] as const)('the overview tells of a service that fails meanwhile, on %s', async (_, options) => {
  const { page, stage } = await staged('/', {}, options)
  await page.getByText('Live', { exact: true }).waitFor()
  const failed = page.getByRole('link', { name: '1 failed service' })
  const fail = (...names: string[]) => stage.fail(...names)
  expect(await failed.count()).toBe(0)
  fail('web.service')
  await failed.waitFor()
  expect(await axe(page)).toEqual([])
  await page.getByRole('log').getByText('web.service').waitFor({ state: 'attached' })
  fail()
  await failed.waitFor({ state: 'detached' })
})

/** A process that is known in depth. */
const known: World['answer'] = async (route, path) => {
  if (path !== '/processes/235') return false
  const detail = {
    process: row(5),
    cwd: '/opt/app',
    exe: '/usr/bin/python3.11',
    cgroup: '/system.slice/app.service',
    limits: [],
    descriptors: null,
    memory: null,
    io: null,
    status: null,
    sockets: [],
    children: [],
    errors: {},
  } satisfies ProcessDetail
  await route.fulfill({ json: detail })
  return true
}

it('on a small screen, what a command takes stands in one line', async () => {
  const viewport = { width: 1024, height: 768 }
  const { page } = await staged('/services', {}, { viewport })
  const form = page.getByRole('form', { name: 'Act on a service' })
  const middle = async (name: RegExp | string) => {
    const part = form.getByRole('button', { name }).or(form.getByLabel(name, { exact: true }))
    const box = await part.boundingBox()
    return Math.round((box?.y ?? 0) + (box?.height ?? 0) / 2)
  }
  expect(await middle('Do it')).toBe(await middle('Service'))
  await form.getByLabel('Or a command').fill('uptime')
  await form.getByLabel('Seconds at most').waitFor()
  expect(await middle('Run')).toBe(await middle('Or a command'))
})

describe.each([
  ['a desk, in light', { colorScheme: 'light' }],
  ['a phone, in the dark', { ...phone, colorScheme: 'dark' }],
] as const)('on %s', (_, options) => {
  it('a graph without a history says so, until it has a line to draw', async () => {
    const { page, stage } = await staged('/', { points: [] }, options)
    const graph = page.getByRole('figure', { name: 'CPU', exact: true })
    const said = graph.getByText('No history yet: the line begins now.')
    await said.waitFor()
    expect(await axe(page)).toEqual([])
    const { summary } = stage.world
    stage.summary({ ...summary, time: new Date(Date.parse(summary.time) + 1000).toISOString() })
    await said.waitFor({ state: 'detached' })
    await graph.locator('canvas').waitFor()
  })

  it('the second factor says that it waits, and is where it was then', async () => {
    let answer = () => {}
    const answered = new Promise<void>((resolve) => (answer = resolve))
    const late: World['answer'] = async (_, path) => {
      if (path === '/second-factor') await answered
      return false
    }
    const { page } = await staged('/account', { answer: late }, options)
    const below = page.getByRole('heading', { name: 'Change password' })
    const waiting = page.getByText('Loading …')
    // The sessions are there by then.
    await page.getByText('203.0.113.7').waitFor()
    expect(await waiting.count()).toBe(1)
    expect(await axe(page)).toEqual([])
    const before = await below.boundingBox()
    answer()
    await page.getByRole('button', { name: 'Set up' }).waitFor()
    expect(await waiting.count()).toBe(0)
    expect(await below.boundingBox()).toEqual(before)
  })

  it('where there is no connection, a panel says no more of it than the page', async () => {
    const { page, stage } = await staged('/processes?open=235:165', { answer: known }, options)
    const panel = page.getByRole('complementary', { name: 'Process' })
    await panel.getByText('Program file').waitFor()
    const asked = page.waitForEvent('requestfailed', (r) => r.url().includes('/processes/235'))
    await stage.down()
    await page.getByText(/What you see is/).waitFor()
    await asked
    expect(await panel.getByText('The server does not answer.').count()).toBe(0)
    expect(await axe(page)).toEqual([])
  })

  it('what has ended cannot be tagged in the list of what has', async () => {
    const { page, stage } = await staged('/processes?view=ended', {}, options)
    await page.getByText('Live', { exact: true }).waitFor()
    const key = `${row(5).pid}:${row(5).startTime}`
    stage.push('processes', [], [key], [{ key, exitCode: 3, signal: null, lived: 1 }])
    await page.getByText('exit status 3').waitFor()
    expect(await page.getByRole('checkbox').count()).toBe(0)
    await page.getByRole('link', { name: 'List', exact: true }).click()
    await page.getByRole('checkbox').first().waitFor()
  })

  it('several toasts can be closed at once', async () => {
    const { page, stage } = await staged('/services', {}, options)
    await page.getByText('Live', { exact: true }).waitFor()
    const fail = (id: number) =>
      stage.tell(
        operation(id, {
          logType: 'service.start',
          target: `worker-${id}.service`,
          retStatus: 'failed',
          logStatus: 'new',
        }),
        3,
      )
    const news = page.getByRole('region', { name: 'News' })
    const all = news.getByRole('button', { name: 'Close all' })
    fail(50)
    await news.getByText('worker-50').waitFor()
    expect(await all.count()).toBe(0)
    fail(51)
    await all.waitFor()
    expect(await axe(page)).toEqual([])
    await all.click()
    expect(await news.getByRole('listitem').count()).toBe(0)
    expect(await all.count()).toBe(0)
    await page.mouse.move(5, 5)
    for (let id = 52; id < 60; id++) fail(id)
    await all.waitFor()
    // However many there are, the upper half of the page is free.
    const newest = news.getByText('worker-59')
    await newest.waitFor()
    const high = page.viewportSize()?.height ?? 0
    expect((await news.boundingBox())?.y).toBeGreaterThan(high / 2)
    await expect.poll(async () => (await newest.boundingBox())?.y).toBeLessThan(high - 60)
    await page.keyboard.press('x')
    expect(await news.getByRole('listitem').count()).toBe(0)
  })
})

describe('on a phone', () => {
  it('a graph is drawn once it is close to what is in sight', async () => {
    const { page } = await staged('/', {}, phone)
    const graphs = page.getByRole('figure')
    const canvas = graphs.last().locator('canvas')
    await graphs.first().locator('canvas').waitFor()
    expect(await canvas.count()).toBe(0)
    await graphs.last().scrollIntoViewIfNeeded()
    await canvas.waitFor()
  })

  it('there is no choice of an order where there is one order', async () => {
    const { page } = await staged('/processes?view=ended', {}, phone)
    await page.getByText('No process has ended').waitFor()
    expect(await page.getByLabel('Sort by').count()).toBe(0)
    await page.getByRole('link', { name: 'List', exact: true }).click()
    await page.getByLabel('Sort by').waitFor()
  })

  it('what one does with users stands in one line below the other', async () => {
    const { page } = await staged('/users', {}, phone)
    const roles = page.getByRole('combobox', { name: /^Role of/ })
    await roles.nth(1).waitFor()
    const lefts = await roles.evaluateAll((all) => all.map((e) => e.getBoundingClientRect().left))
    expect(new Set(lefts.map(Math.round)).size).toBe(1)
  })

  it.each(['en-GB', 'zh-CN'])('the form’s fields stand in one line, in %s', async (locale) => {
    const { page } = await staged('/services', {}, { ...phone, locale })
    await page
      .getByText(/^(Act on a service|操作服务)$/)
      .first()
      .click()
    await page.getByPlaceholder(/^supervisorctl/).fill('uptime')
    const fields = page.getByRole('form').locator('input:not([type=radio])')
    await expect.poll(() => fields.count()).toBe(3)
    const lefts = await fields.evaluateAll((all) => all.map((e) => e.getBoundingClientRect().left))
    expect(new Set(lefts.map(Math.round)).size).toBe(1)
  })
})

describe('where the system chooses the colours', () => {
  /** The grounds of what is chosen, and that of a part of the page that is marked as the system marks. */
  const grounds = (page: Page) =>
    page.evaluate(() => {
      const ground = (element: Element) => getComputedStyle(element).backgroundColor
      const marked = document.createElement('mark')
      marked.style.setProperty('forced-color-adjust', 'none')
      marked.style.background = 'Highlight'
      document.body.append(marked)
      const highlight = ground(marked)
      marked.remove()
      const chosen = document.querySelectorAll('[aria-pressed=true], ul [aria-current=true]')
      return { highlight, chosen: [...chosen].map(ground) }
    })

  it('the view that is shown, and a button that is held down, are marked as the system marks', async () => {
    const { page } = await staged('/processes?view=tree&freeze=1', {}, { forcedColors: 'active' })
    await page.getByRole('button', { name: 'Freeze', pressed: true }).waitFor()
    const { highlight, chosen } = await grounds(page)
    expect(chosen).toEqual([highlight, highlight])
  })
})
