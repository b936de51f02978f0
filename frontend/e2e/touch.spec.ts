import type { Page } from 'playwright-core'
import { afterEach, describe, expect, it } from 'vitest'
import { phone } from './browser'
import * as use from './use'
import type { Process, ServiceReply } from '../src/lib/wire.gen'
import { operation, service, workers } from './world'
import type { World } from './world'

// What a thumb can do on a phone.

const pages = await use.usePages()
afterEach(() => pages.leave())

const staged = (path: string, part?: Partial<World>) => use.staged(pages, path, part, phone)

/**
 * What can be touched and is less than 44 pixels high or wide, and has not that much room either: within 22 pixels of its
 * middle is something else that can be touched. A link in a row that leads where the row does is as large as the row.
 */
function crowded(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const enough = 44
    const end = document.querySelector('nav')?.getBoundingClientRect().top ?? innerHeight
    const boxOf = (element: Element) =>
      (element.closest('label') ?? element).getBoundingClientRect()
    const touched = [
      ...document.querySelectorAll<HTMLElement>('a[href], button, input, select, summary'),
    ].filter((element) => {
      const { left, top, bottom, width, height } = boxOf(element)
      // What is cut at the end of the page is whole once it is scrolled to.
      if (width === 0 || (bottom > end && !element.closest('nav'))) return false
      const on = document.elementFromPoint(left + width / 2, top + height / 2)
      const box = element.closest('label') ?? element
      if (!on || element.matches(':disabled') || !(box.contains(on) || on.contains(box)))
        return false
      return !(element.matches('[data-index] a') && element.closest('[tabindex]'))
    })
    return touched.flatMap((element) => {
      const { left, top, width, height } = boxOf(element)
      if (width >= enough && height >= enough) return []
      const x = left + width / 2
      const y = top + height / 2
      const near = touched.find((other) => {
        if (other === element || other.closest('label')?.contains(element)) return false
        const box = boxOf(other)
        const away = [
          Math.max(box.left - x, 0, x - box.right),
          Math.max(box.top - y, 0, y - box.bottom),
        ]
        return Math.hypot(...away) < enough / 2
      })
      const name = ({ ariaLabel, textContent, tagName }: Element) =>
        (ariaLabel ?? textContent.trim()) || tagName.toLowerCase()
      if (!near) return []
      return [`${name(element)}, ${Math.round(width)} × ${Math.round(height)}, at ${name(near)}`]
    })
  })
}

const detail = {
  service: { ...service(0), pids: [207, 214, 221] },
  dependencies: { requires: ['basic.target', 'network.target', 'dbus.socket'] },
  stopsToo: ['a.service', 'b.service'],
  guarded: '',
  lastLines: [],
  connected: [],
  carriesSession: false,
  errors: {},
} satisfies ServiceReply

describe('with the thumb', () => {
  it.each([
    ['/', 'CPU %'],
    ['/host', 'Time zone'],
    ['/processes', 'systemd'],
    ['/processes?view=tree', 'systemd'],
    ['/processes?view=units', 'system.slice'],
    ['/sockets', 'tcp'],
    ['/services', 'cron-8.service'],
    ['/services?open=systemd:nginx.service', 'Stops with it'],
    ['/log', 'Signed in'],
    ['/log?open=60', 'Took'],
    ['/users', 'grace'],
    ['/account', 'Change password'],
  ])('one touches what one means on %s', async (path, text) => {
    const { page } = await staged(path, {
      operations: [
        operation(60, { logType: 'service.start', target: 'nginx.service' }),
        ...Array.from({ length: 20 }, (_, i) => operation(59 - i)),
      ],
      answer: async (route, path) => {
        if (!path.startsWith('/services/')) return false
        await route.fulfill({ json: detail })
        return true
      },
    })
    await page.getByText(text).filter({ visible: true }).first().waitFor()
    // What is folded away is touched too.
    for (const summary of await page.locator('summary').filter({ visible: true }).all())
      await summary.tap()
    expect(await crowded(page)).toEqual([])
  })
  it('one goes to a part of the last day', async () => {
    const { page } = await staged('/log')
    await page.getByText('Narrow down').tap()
    const parts = page.getByRole('region', { name: 'Last 24 hours' }).getByRole('link')
    await parts.first().waitFor()
    expect(await parts.count()).toBeLessThanOrEqual(7)
    await parts.nth(3).tap()
    await expect.poll(() => parts.nth(3).getAttribute('aria-current')).toBe('true')
    const [, from = '', until = ''] =
      /time>=(\S+) time<(\S+)/.exec(use.param(page, 'q') ?? '') ?? []
    expect(Date.parse(until) - Date.parse(from)).toBe(4 * 3_600_000)
  })
  it('one sees who a connection is with, and which unit has it', async () => {
    const { page } = await staged('/sockets?q=ESTABLISHED')
    const first = page.getByRole('list', { name: 'TCP/UDP services' }).getByRole('listitem').first()
    await first.getByText('→ 203.0.113.9:443').waitFor()
    await first.getByText('nginx.service').waitFor()
  })

  it('one finds the name of what has ended where it was', async () => {
    const { page, stage } = await staged('/processes', { processes: workers })
    const name = page.getByRole('listitem').getByText('worker-1', { exact: true })
    const left = async () => (await name.boundingBox())?.x
    await name.waitFor()
    const before = await left()
    const [, row] = workers as [Process, Process]
    const key = `${row.pid}:${row.startTime}`
    stage.push('processes', [], [key], [{ key, exitCode: 1, signal: null, lived: 5, row }])
    await page.getByText('exit status 1').waitFor()
    expect(await left()).toBe(before)
  })

  it('one chooses what the list tells, and how close its rows are', async () => {
    const { page } = await staged('/processes', { processes: workers })
    const first = page.getByRole('list', { name: 'Processes' }).getByRole('listitem').first()
    const high = async () => (await first.boundingBox())?.height
    await first.waitFor()
    expect(await high()).toBe(52)
    await page.getByRole('button', { name: 'Columns and rows' }).tap()
    const menu = page.getByRole('group', { name: 'Columns and rows' })
    // What a phone leaves out is not said to be shown.
    const threads = menu.getByRole('checkbox', { name: 'Thr' })
    expect(await threads.isChecked()).toBe(false)
    await menu.getByRole('checkbox', { name: 'Command line' }).tap()
    await menu.getByRole('checkbox', { name: 'User' }).tap()
    await menu.getByLabel('Compact').tap()
    await expect.poll(high).toBe(44)
    await first.getByText('/sbin/init').waitFor()
    expect(await first.getByText('root').count()).toBe(0)
    expect(await crowded(page)).toEqual([])
    await page.reload()
    await first.getByText('/sbin/init').waitFor()
    await page.getByRole('button', { name: 'Columns and rows' }).tap()
    await menu.getByRole('button', { name: 'The usual columns' }).tap()
    await first.getByText('root').waitFor()
  })
  it('one runs a command, and finds the form again', async () => {
    const running = operation(60, {
      logType: 'command.run',
      target: 'make all',
      retStatus: 'running',
      message: '',
    })
    const { page, stage } = await staged('/services', {
      answer: async (route, path) => {
        if (path !== '/commands') return false
        stage.world.operations = [running, ...stage.world.operations]
        await route.fulfill({ status: 202, json: { operation: running } })
        return true
      },
    })
    const form = page.getByText('Act on a service')
    await form.tap()
    await page.getByLabel('Or a command').fill('make all')
    await page.getByRole('button', { name: 'Run', exact: true }).tap()
    const record = page.getByRole('complementary', { name: 'Record' })
    await record.getByRole('button', { name: 'Close' }).tap()
    await form.tap()
    await page.getByLabel('Or a command').waitFor()
  })
})
