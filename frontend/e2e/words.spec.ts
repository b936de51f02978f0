import type { BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { axe, Pages, phone } from './browser'
import { Stage } from './stage'
import { operation, world } from './world'
import type { World } from './world'

let pages: Pages

beforeAll(async () => {
  pages = await Pages.launch()
})
afterAll(() => pages.close())
afterEach(() => expect(pages.faults.splice(0)).toEqual([]))

const wide = { viewport: { width: 1280, height: 800 } }

async function staged(path: string, part: Partial<World>, options: BrowserContextOptions = {}) {
  const page = await pages.open(options)
  const stage = new Stage(world(part))
  await stage.play(page)
  await page.goto('http://localhost:7373' + path)
  await page.getByRole('main').waitFor()
  return { page, stage }
}

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
      return box.scrollWidth <= box.clientWidth
    })

describe('what the server says', () => {
  it.each([
    ['en-GB', 'a process failed, exit status 1: bind() failed: in use'],
    ['zh-CN', '进程失败，退出码 1：bind() failed: in use'],
  ])('why something failed is on its row of the log, in %s', async (locale, reason) => {
    const { page } = await staged('/log', { operations: [failed] }, { locale, ...wide })
    await page.getByText(reason, { exact: true }).waitFor()
    expect(await whole(page, reason)).toBe(true)
  })

  it('is Chinese in toasts and notes, but for what programs wrote', async () => {
    const errors = { owners: 'cannot list processes: permission denied', cpu: 'of the moon' }
    const { page, stage } = await staged('/sockets', { errors }, { locale: 'zh-CN', ...wide })
    await page.getByText('无法列出进程：权限不够').waitFor()
    await page.getByText('of the moon').waitFor()
    stage.tell({ ...failed, actor: 'ada', logStatus: 'new' }, 1)
    await page.getByText('进程失败，退出码 1：bind() failed: in use').waitFor()
  })
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
    const warning = page.getByRole('status').filter({ hasText: what })
    await warning.getByText(todo).waitFor()
    expect(await axe(page)).toEqual([])
  })
})
