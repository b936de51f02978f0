import type { BrowserContextOptions, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { axe, phone } from './browser'
import * as use from './use'
import { operation } from './world'
import type { World } from './world'

const pages = await use.usePages()

const wide = { viewport: { width: 1280, height: 800 } }

const staged = (path: string, part?: Partial<World>, options?: BrowserContextOptions) =>
  use.staged(pages, path, part, options)

const failed = operation(1, {
  logType: 'service.start',
  target: 'nginx.service',
  retStatus: 'failed',
  message: 'nginx.service: start failed: a process failed, exit status 1: bind() failed: in use',
})

/** Whether all of a text is to be seen. */
const whole = (page: Page, text: string) =>
  page
    .getByText(text)
    .first()
    .evaluate((element) => {
      const box = element.closest('td') ?? element
      return box.scrollWidth <= box.clientWidth && box.scrollHeight <= box.clientHeight + 1
    })

describe('what the server says', () => {
  it.each([
    ['a table', 'en-GB', 'a process failed, exit status 1: bind() failed: in use', wide],
    ['a table', 'zh-CN', '进程失败，退出码 1：bind() failed: in use', wide],
    ['a phone', 'en-GB', 'a process failed, exit status 1: bind() failed: in use', phone],
    ['a phone', 'zh-CN', '进程失败，退出码 1：bind() failed: in use', phone],
  ])(
    'why something failed is on its row of the log, on %s in %s',
    async (_, locale, reason, on) => {
      const { page } = await staged('/log', { operations: [failed] }, { locale, ...on })
      await page.getByText(reason).first().waitFor()
      expect(await whole(page, reason)).toBe(true)
    },
  )

  it('is Chinese in toasts and notes, but for what programs wrote', async () => {
    const errors = { owners: 'cannot list processes: permission denied', cpu: 'of the moon' }
    const { page, stage } = await staged('/sockets', { errors }, { locale: 'zh-CN', ...wide })
    await page.getByText('无法列出进程：权限不够').waitFor()
    await page.getByText('of the moon').waitFor()
    stage.tell({ ...failed, actor: 'ada', logStatus: 'new' }, 1)
    await page.getByText('进程失败，退出码 1：bind() failed: in use').first().waitFor()
  })
})

describe('a search of the log in Chinese', () => {
  it.each([
    ['what it has words for, is for those that are kept', '进程失败', '"a process failed"'],
    ['a type of record, is for that type', '-启动服务', '-logType:service.start'],
    ['other words, is for them', '数据库', '数据库'],
  ])('for %s, and says so', async (_, words, wanted) => {
    const asked = new Set<string | null>()
    const answer: World['answer'] = (route, path) => {
      if (path === '/operations') asked.add(new URL(route.request().url()).searchParams.get('q'))
      return Promise.resolve(false)
    }
    const { page } = await staged('/log', { answer }, { locale: 'zh-CN', ...wide })
    await page.getByRole('rowheader', { name: '登录', exact: true }).first().waitFor()
    await page.getByRole('searchbox').fill(words)
    const said = wanted === words ? '此处按原样搜索' : `实际搜索：${wanted}`
    await page.getByText(said).waitFor()
    await expect.poll(() => asked.has(wanted)).toBe(true)
    expect(new URL(page.url()).searchParams.get('q')).toBe(words)
    expect(asked.has(words)).toBe(wanted === words)
  })
})

it('a part of what the log has words for is completed to all of it, in Chinese', async () => {
  const { page } = await staged('/log', {}, { locale: 'zh-CN', ...wide })
  await page.getByRole('rowheader', { name: '登录', exact: true }).first().waitFor()
  await page.getByRole('searchbox').pressSequentially('没有空间')
  await page.getByRole('option', { name: '设备上没有空间' }).waitFor()
  expect(await axe(page)).toEqual([])
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await page.getByText('实际搜索："no space left on device"').waitFor()
  expect(new URL(page.url()).searchParams.get('q')).toBe('设备上没有空间')
})

describe('a page', () => {
  it('what cannot be had is not said to be loading, and can be asked for again', async () => {
    let away = true
    const { page } = await staged('/account', {
      answer: async (route, path) => {
        if (path !== '/sessions' || !away) return false
        await route.fulfill({
          status: 503,
          json: { error: { code: 'unavailable', message: 'cannot read the sessions' } },
        })
        return true
      },
    })
    await page.getByText('Cannot read the sessions.').waitFor()
    await expect.poll(() => page.getByText('Loading …').count()).toBe(0)
    expect(await axe(page)).toEqual([])
    away = false
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('203.0.113.7').waitFor()
    expect(await page.getByText('Cannot read the sessions.').count()).toBe(0)
  })
})

describe('a page that is fetched when it is opened', () => {
  const part = /\/assets\/Users/
  const users = (page: Page) => page.getByRole('table', { name: 'Users', exact: true })

  it('says so when the server is away, and is there when it is back', async () => {
    const { page, stage } = await staged('/', {}, wide)
    await page.getByText('Live', { exact: true }).waitFor()
    await stage.down()
    await page.getByRole('navigation').getByRole('link', { name: 'Users' }).click()
    await page.getByRole('alert').getByText('The server does not answer.').waitFor()
    await page.getByRole('heading', { name: 'Users' }).waitFor()
    expect(await axe(page)).toEqual([])
    stage.up = true
    await users(page).waitFor()
  })

  it('is tried again, by loading the whole anew where that does not help, at the same address', async () => {
    const { page } = await staged('/', {}, wide)
    await page.getByText('Live', { exact: true }).waitFor()
    await page.route(part, (route) => route.abort())
    await page.getByRole('navigation').getByRole('link', { name: 'Users' }).click()
    const again = page.getByRole('alert').getByRole('button', { name: 'Try again' })
    const loaded = page.waitForEvent('load')
    await again.click()
    await loaded
    expect(new URL(page.url()).pathname).toBe('/users')
    await again.waitFor()
    await page.unroute(part)
    await again.click()
    await users(page).waitFor()
  })
})

it('what draws the graphs comes when the connection is back', async () => {
  const { page, stage } = await staged('/host', {}, wide)
  await page.getByText('Live', { exact: true }).waitFor()
  const part = /\/assets\/uPlot/
  let refused = 0
  await page.route(part, (route) => {
    refused++
    return route.abort()
  })
  await page.getByRole('navigation').getByRole('link', { name: 'Overview' }).click()
  await expect.poll(() => refused).toBeGreaterThan(0)
  expect(await page.locator('canvas').count()).toBe(0)
  await page.unroute(part)
  await stage.hangUp()
  await expect.poll(() => page.locator('canvas').count()).toBeGreaterThan(4)
})

describe('on a small screen', () => {
  it.each(['en-GB', 'zh-CN'])('all that one does with a user is there, in %s', async (locale) => {
    const viewport = { width: 1024, height: 768 }
    const { page } = await staged('/users', {}, { locale, viewport })
    const remove = page.getByRole('button', { name: /^(Remove |删除 )grace$/ })
    const box = await remove.boundingBox()
    expect((box?.x ?? 1024) + (box?.width ?? 0)).toBeLessThan(1008)
  })
})

it('how old all is, and when it is tried again, has a line of its own on a phone', async () => {
  const { page, stage } = await staged('/processes', {}, phone)
  await page.getByText('Live', { exact: true }).waitFor()
  await stage.down()
  const ages = page.getByText(/What you see is/)
  expect((await ages.boundingBox())?.height).toBeLessThan(25)
})

describe('a session that is kept in memory only', () => {
  const session = {
    username: 'ada',
    role: 'admin' as const,
    expiresAt: '2026-03-14T10:00:00Z',
    mustEnrol: false,
    warning:
      'this session is kept in memory only, and ends when topdeck does: cannot write to the data file: no space left on device',
  }

  it.each([
    ['en-GB', 'This session is kept in memory only', 'Make room on the disk', {}],
    ['zh-CN', '此会话仅保存在内存中，topdeck 退出时即告结束', '腾出空间', phone],
  ])('says so, and what to do, in %s', async (locale, what, todo, options) => {
    const { page } = await staged('/', { session }, { ...options, locale })
    const heard = page.getByRole('log').getByText(what)
    await heard.waitFor()
    expect(await heard.innerText()).toContain(todo)
    await page.getByText(todo).first().waitFor()
    expect(await axe(page)).toEqual([])
  })
})

describe('a search of the log for a day', () => {
  it('is for that day here, which is one of those that are offered', async () => {
    const asked = new Set<string | null>()
    const answer: World['answer'] = (route, path) => {
      if (path === '/operations') asked.add(new URL(route.request().url()).searchParams.get('q'))
      return Promise.resolve(false)
    }
    const options = { ...wide, timezoneId: 'Asia/Shanghai' }
    const { page } = await staged('/log', { answer }, options)
    await page.getByRole('rowheader', { name: 'Signed in' }).first().waitFor()
    await page.clock.setFixedTime('2026-03-14T17:00:00Z')
    const field = page.getByRole('searchbox')
    await field.pressSequentially('tim')
    await page.getByRole('option', { name: 'time:' }).click()
    await page.getByRole('option', { name: '2026-03-15 today' }).waitFor()
    await page.getByRole('option', { name: '2026-03-14 yesterday' }).click()
    expect(await field.inputValue()).toBe('time:2026-03-14 ')
    const wanted = 'time:2026-03-13T16:00:00Z/2026-03-14T16:00:00Z'
    await expect.poll(() => asked.has(wanted)).toBe(true)
    expect(new URL(page.url()).searchParams.get('q')).toBe('time:2026-03-14')
    await field.fill('')
    await field.pressSequentially('actor:')
    await page.getByRole('option', { name: 'actor:ada' }).waitFor()
  })
})
