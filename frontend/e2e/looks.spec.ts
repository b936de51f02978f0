import type { BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { axe, phone } from './browser'
import { Server } from './server'
import * as use from './use'
import { operation, process as row, world } from './world'
import type { World } from './world'

const server = await use.useServer(Server.ready())
const pages = await use.usePages()

const at = (path: string, options?: BrowserContextOptions) =>
  use.visit(pages, server, path, options)

const staged = (path: string, part?: Partial<World>, options?: BrowserContextOptions) =>
  use.staged(pages, path, part, options)

const settings = 'You and your settings'

const background = (page: Page) =>
  page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)

describe('these tests', () => {
  it('notice when the security policy refuses something', async () => {
    const page = await at('/host')
    await page.evaluate(() =>
      document.body.insertAdjacentHTML('beforeend', '<p style="color: red"></p>'),
    )
    await expect.poll(() => pages.faults.join()).toContain('policy: style-src')
    await page.context().close()
    pages.faults.length = 0
  })
})

describe('the language', () => {
  it('is the browser’s at first', async () => {
    const page = await at('/', { locale: 'zh-CN' })
    await page.getByRole('heading', { name: '概览' }).waitFor()
    expect(await page.locator('html').getAttribute('lang')).toBe('zh-Hans')
    await page.getByText('实时', { exact: true }).waitFor()
  })

  it('is switched at once, and kept', async () => {
    const page = await at('/processes')
    await page.getByRole('button', { name: settings }).click()
    await page.getByLabel('Language').selectOption('zh')
    await page.getByRole('heading', { name: '进程' }).waitFor()
    await page.getByRole('columnheader', { name: '命令行' }).waitFor()
    await page.reload()
    await page.getByRole('heading', { name: '进程' }).waitFor()
  })
})

describe('the colours', () => {
  it('follow the system, until one is chosen', async () => {
    const page = await at('/', { colorScheme: 'light' })
    const light = await background(page)
    await page.emulateMedia({ colorScheme: 'dark' })
    const dark = await background(page)
    expect(dark).not.toBe(light)
    await page.getByRole('button', { name: settings }).click()
    await page.getByLabel('Colours').selectOption('light')
    expect(await background(page)).toBe(light)
    await page.reload()
    await page.getByRole('main').waitFor()
    expect(await background(page)).toBe(light)
  })
})

describe('the keys', () => {
  it('are told by ?, and lead to the pages', async () => {
    const page = await at('/')
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    expect(await axe(page)).toEqual([])
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.keyboard.press('g')
    await page.keyboard.press('p')
    const heading = page.getByRole('heading', { name: 'Processes' })
    await heading.waitFor()
    // Whoever moves by keys or hears the page starts where it starts.
    await expect
      .poll(() => heading.evaluate((element) => element === document.activeElement))
      .toBe(true)
    await page.keyboard.press('g')
    await page.keyboard.press('u')
    await page.getByRole('heading', { name: 'Users', exact: true }).waitFor()
    await page.keyboard.press('?')
    await page.getByRole('definition').filter({ hasText: 'Users' }).waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('g')
    await page.keyboard.press('a')
    await page.getByRole('heading', { name: 'Account', exact: true }).waitFor()
    await page.goBack()
    await page.goBack()
    await page.keyboard.press('/')
    expect(
      await page.getByRole('searchbox').evaluate((element) => element === document.activeElement),
    ).toBe(true)
  })

  it('reach the content by the skip link', async () => {
    const page = await at('/processes')
    await page.keyboard.press('Tab')
    const skip = page.getByRole('link', { name: 'Skip to content' })
    expect(await skip.evaluate((element) => element === document.activeElement)).toBe(true)
    await page.keyboard.press('Enter')
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('content')
  })
})

const places = [
  '/',
  '/host',
  '/processes',
  '/sockets',
  '/services',
  '/log',
  '/users',
  '/account',
  '/nowhere',
]

describe.each([
  ['light colours', { colorScheme: 'light' }],
  ['dark colours', { colorScheme: 'dark' }],
  ['light colours on a phone', { ...phone, colorScheme: 'light' }],
] as const)('in %s', (_, options) => {
  let page: Page
  beforeAll(async () => {
    page = await at('/', options)
  })
  afterAll(() => page.context().close())

  it.each(places)('axe finds nothing on %s, and nothing overflows', async (path) => {
    await page.goto(server.url + path)
    await page.getByRole('heading', { level: 1 }).waitFor()
    await expect.poll(() => page.getByText('Loading …').count()).toBe(0)
    expect(await axe(page)).toEqual([])
    const { inner, outer } = await page.evaluate(() => ({
      inner: document.documentElement.scrollWidth,
      outer: innerWidth,
    }))
    expect(inner).toBeLessThanOrEqual(outer)
  })
})

describe('on a phone', () => {
  it('tables are lists, which are sorted and searched', async () => {
    const page = await at('/processes', phone)
    const list = page.getByRole('list', { name: 'Processes' })
    await list.getByRole('listitem').first().waitFor()
    await page.getByLabel('Sort by').selectOption('pid')
    await expect.poll(() => new URL(page.url()).searchParams.get('sort')).toBe('pid')
    await page.getByRole('searchbox').fill('pid:1')
    await page.getByText(/^\d+ of \d+$/).waitFor()
    expect(await list.getByRole('listitem').count()).toBeGreaterThan(0)
  })

  it('every page is at the thumb', async () => {
    const page = await at('/', phone)
    const links = page.getByRole('navigation').getByRole('link')
    for (const link of await links.all()) {
      const box = await link.boundingBox()
      expect(box?.y).toBeGreaterThan(700)
      expect(box?.height).toBeGreaterThanOrEqual(44)
    }
  })
})

describe('states', () => {
  it('ten thousand processes: few rows are in the page, all can be reached', async () => {
    const processes = Array.from({ length: 10_000 }, (_, i) => row(i))
    const { page } = await staged('/processes?sort=pid&order=asc', { processes })
    const table = page.getByRole('table', { name: 'Processes' })
    await table.waitFor()
    expect(await table.getAttribute('aria-rowcount')).toBe('10001')
    expect(await page.locator('tbody tr').count()).toBeLessThan(80)
    await page
      .getByRole('region', { name: 'Processes' })
      .evaluate((element) => element.scrollTo(0, 1e9))
    await page.getByRole('cell', { name: `${200 + 9999 * 7}`, exact: true }).waitFor()
    expect(await page.locator('tbody tr').count()).toBeLessThan(80)
  })

  it.each([
    ['few', 4, 'light'],
    ['some', 16, 'dark'],
    ['many', 256, 'light'],
  ] as const)(
    '%s cores: each has its trend, and all are within the window',
    async (_, n, colorScheme) => {
      const busy = (at: number) => Array.from({ length: n }, (_, core) => (at + core * 7) % 100)
      const { points, summary } = world()
      const part = {
        points: points.map((point, i) => (i % 10 === 0 ? { ...point, cores: busy(i) } : point)),
        summary: { ...summary, cores: busy(900).with(n - 1, 99.5) },
      }
      const { page } = await staged('/', part, { colorScheme })
      const cores = page.getByRole('region', { name: `${n} cores` })
      await cores.getByText('99.5 %').first().waitFor()
      expect(await cores.getByRole('listitem').count()).toBe(n)
      if (n > 100) await cores.getByText(`busiest ${n - 1}: 99.5 %`).waitFor()
      const trends = () =>
        cores.locator('path').evaluateAll((all) => all.map((path) => path.getAttribute('d') ?? ''))
      // Fifteen minutes, a step every ten seconds: until the history is there, only the reading of now.
      await expect
        .poll(async () => Math.min(...(await trends()).map((path) => path.split('L').length)))
        .toBeGreaterThan(80)
      expect(new Set(await trends()).size).toBeGreaterThan(n / 3)
      const box = await cores.boundingBox()
      expect((box?.y ?? 0) + (box?.height ?? 900)).toBeLessThan(900)
      expect(await axe(page)).toEqual([])
    },
  )

  it.each([1024, 1920])(
    'graphs fill their last line where there is no pressure to tell of, at %i px',
    async (width) => {
      const { summary } = world()
      const part = { summary: { ...summary, pressure: null } }
      const { page } = await staged('/', part, { viewport: { width, height: 1080 } })
      const end = async (name: string) => {
        const box = await page.getByRole('figure', { name, exact: true }).boundingBox()
        return (box?.x ?? 0) + (box?.width ?? 0)
      }
      await page.getByRole('figure', { name: 'Disks', exact: true }).waitFor()
      expect(await end('Disks')).toBe(await end('Memory'))
    },
  )

  it('a longer figure of the overview moves nothing', async () => {
    const { page, stage } = await staged('/', {}, phone)
    const below = page.getByRole('region', { name: 'Memory' })
    const before = await below.boundingBox()
    const { cpu } = stage.world.summary
    const long = { us: 24.9, sy: 14.6, ni: 10.2, id: 10.1, wa: 10, hi: 10.1, si: 10.1, st: 10 }
    for (const figures of [long, { ...cpu, us: 0, sy: 0, id: 100 }]) {
      stage.summary({ ...stage.world.summary, cpu: figures })
      await page
        .getByRole('region', { name: 'CPU %' })
        .getByText(/^(24.9|100.0)$/)
        .waitFor()
      expect(await below.boundingBox()).toEqual(before)
    }
    const { inner, outer } = await page.evaluate(() => ({
      inner: document.documentElement.scrollWidth,
      outer: innerWidth,
    }))
    expect(inner).toBeLessThanOrEqual(outer)
  })

  it('hostile names are text', async () => {
    const { page } = await staged('/processes?q=mallory')
    await page.getByRole('rowheader', { name: '<b>bold</b>' }).first().waitFor()
    await page.getByText('<img src=x onerror=alert(1)>').first().waitFor()
  })

  it('parts that are incomplete are told', async () => {
    const { page } = await staged('/sockets', {
      errors: { owners: '12 processes could not be looked into: root is needed' },
    })
    await page.getByText('12 processes could not be looked into: root is needed').waitFor()
    expect(await axe(page)).toEqual([])
  })

  it('a host without processes, sockets, services or records says so', async () => {
    const empty = { processes: [], sockets: [], services: [], operations: [] }
    const { page } = await staged('/processes', empty)
    await page.getByText('No process can be seen.').waitFor()
    for (const [link, text] of [
      ['TCP/UDP', 'No TCP or UDP sockets.'],
      ['Services', 'No services.'],
      ['Log', 'Nothing has been done yet.'],
    ] as const) {
      await page.getByRole('navigation').getByRole('link', { name: link }).click()
      await page.getByText(text).waitFor()
      expect(await axe(page)).toEqual([])
    }
  })

  it('a host without service managers says so', async () => {
    const { page } = await staged('/services', {
      services: [],
      host: { ...world().host, serviceManagers: [] },
    })
    await page.getByText('Neither systemd nor SysV scripts').waitFor()
  })

  it.each(['light', 'dark'] as const)(
    'a lost connection is told, in %s colours too',
    async (colorScheme) => {
      const { page, stage } = await staged('/processes', {}, { colorScheme })
      await page.getByRole('table', { name: 'Processes' }).waitFor()
      await stage.down()
      await page.getByText(/What you see is/).waitFor()
      expect(await axe(page)).toEqual([])
      stage.up = true
      await page.getByText('Live', { exact: true }).waitFor()
    },
  )

  it('a proxy that does not pass WebSockets is told from a server that is away', async () => {
    const { page, stage } = await staged('/')
    await page.getByText('Live', { exact: true }).waitFor()
    stage.passing = false
    await stage.hangUp()
    await page.getByText('A proxy in between may not pass WebSockets.').first().waitFor()
  })

  it('a newer build of the app is offered', async () => {
    const { page, stage } = await staged('/processes')
    await page.getByText('Live', { exact: true }).waitFor()
    stage.build = 'b2'
    await stage.hangUp()
    await page.getByText('The server has a newer version of this page.').first().waitFor()
    expect(await axe(page)).toEqual([])
    await page.getByRole('button', { name: 'Reload' }).click()
    await page.getByText('Live', { exact: true }).waitFor()
    expect(await page.getByRole('button', { name: 'Reload' }).count()).toBe(0)
  })

  it.each(['light', 'dark'] as const)(
    'a session that has ended is told, in %s colours too, and where one was is kept',
    async (colorScheme) => {
      const { page, stage } = await staged('/processes?q=nginx', {}, { colorScheme })
      await page.getByText('Live', { exact: true }).waitFor()
      stage.world.session = null
      await stage.hangUp(4001)
      await page.getByText('Your session has ended.').first().waitFor()
      expect(await axe(page)).toEqual([])
      expect(new URL(page.url()).searchParams.get('q')).toBe('nginx')
    },
  )

  it('a failure is read out, says why, and stays until it is closed', async () => {
    const { page, stage } = await staged('/services')
    await page.getByText('Live', { exact: true }).waitFor()
    const failed = operation(99, {
      logType: 'service.restart',
      target: 'nginx.service',
      retStatus: 'failed',
      logStatus: 'new',
      message: 'control process exited with status 1',
    })
    stage.tell({ ...failed, retStatus: 'running', message: '' }, 3)
    const news = page.getByRole('region', { name: 'News' })
    await news.getByText('running').waitFor()
    stage.tell(failed, 3)
    await news.getByText('control process exited with status 1').waitFor()
    expect(await news.getByRole('listitem').count()).toBe(1)
    expect(await axe(page)).toEqual([])
    await news.getByRole('button', { name: 'Close' }).click()
    expect(await news.getByRole('listitem').count()).toBe(0)
  })

  it('a password that is needed again is asked for once, and the call goes on', async () => {
    let confirmed = false
    const { page } = await staged('/users', {
      answer: async (route, path) => {
        if (path === '/session/confirm') {
          confirmed = true
          await route.fulfill({ status: 204 })
          return true
        }
        if (path !== '/users' || confirmed) return false
        await route.fulfill({
          status: 403,
          json: { error: { code: 'reauthenticate', message: 'again' } },
        })
        return true
      },
    })
    const dialog = page.getByRole('dialog', { name: 'Your password, please' })
    await dialog.getByLabel('Password').fill('whatever it is')
    expect(await axe(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('table', { name: 'Users', exact: true }).getByText('grace').waitFor()
  })
})
