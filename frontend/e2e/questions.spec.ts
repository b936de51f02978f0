import type { Locator, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { panel, url, useHost } from './acting'
import { phone } from './browser'

// What brings people here, answered as a new user would find it.

const as = await useHost()

describe('the five questions', () => {
  /** Presses keys one after the other; what is longer than a key's name is typed. */
  async function press(page: Page, ...keys: string[]) {
    for (const key of keys)
      if (/^(\w|[/?]|Tab|Enter|ArrowDown)$/.test(key)) await page.keyboard.press(key)
      else await page.keyboard.type(key)
  }
  async function start(page: Page, service: string) {
    const answer = await page.request.post(`${url}/api/v1/services/${service}/actions`, {
      headers: { Origin: url },
      data: { action: 'start' },
    })
    expect(answer.status()).toBe(202)
  }
  /** Has a service end until it is seen: what ends while a page has no connection, that page does not see. */
  const dies = (page: Page, seen: Locator) =>
    expect
      .poll(
        async () => {
          await start(page, 'acts-late.service')
          return seen.count()
        },
        { interval: 4_000, timeout: 40_000 },
      )
      .toBeGreaterThan(0)
  const port = new URL(url || 'http://localhost').port

  it('are answered by keys alone', async () => {
    const page = await as('operator', '/')
    // What is this machine doing: at first sight, and by whom in two keys.
    await page.getByRole('region', { name: 'CPU %' }).waitFor()
    await press(page, 'g', 'p')
    const list = page.getByRole('table', { name: 'Processes' })
    await list.getByRole('columnheader', { name: 'CPU %' }).waitFor()
    await list.getByRole('rowheader').first().waitFor()
    // What just started and died: one more, and it is there when it has happened.
    await press(page, '4')
    await dies(page, list.getByRole('row').filter({ hasText: 'acts-late.service' }))
    // Who holds this port: four keys and its number; one more leads to the process.
    // (This one is among those that clients are given: one of theirs may sort before it.)
    await press(page, 'g', 'n', '/', `port:${port} state:LISTEN`, 'Enter')
    const found = page.getByRole('row').filter({ hasText: /\d+\/topdeck/ })
    await expect
      .poll(() => found.first().evaluate((row) => row === document.activeElement))
      .toBe(true)
    await press(page, 'Enter')
    await panel(page, 'Process')
      .getByRole('heading', { name: /^topdeck \(/ })
      .waitFor()
    // Why did that fail: five keys.
    await press(page, 'g', 'o')
    await page.getByRole('link', { name: /failed services?$/ }).waitFor()
    await press(page, 'Tab', 'Tab', 'Enter')
    await panel(page, 'Service').getByRole('region', { name: 'Failed' }).waitFor()
    // Who changed what: two keys; all that is known of the last of it is two more.
    await press(page, 'g', 'l')
    await page.getByRole('table', { name: 'Log' }).getByRole('rowheader').first().waitFor()
    await press(page, 'ArrowDown', 'Enter')
    await panel(page, 'Record').getByText('Record', { exact: true }).waitFor()
  })

  it('are answered with the thumb', async () => {
    const page = await as('operator', '/', phone)
    const to = (name: string) =>
      page
        .getByRole('navigation')
        .getByRole('link', { name: new RegExp(`^${name}`) })
        .tap()
    const items = (name: string) =>
      page.getByRole('list', { name, exact: true }).getByRole('listitem')
    await page.getByRole('region', { name: 'CPU %' }).waitFor()
    // Why did that fail: one tap.
    await start(page, 'acts-fail.service')
    await page.getByRole('link', { name: 'acts-fail.service' }).tap()
    const reason = panel(page, 'Service').getByRole('region', { name: 'Failed' })
    await reason.getByText('cannot open /etc/acts.conf').first().waitFor()
    // What is this machine doing: one. What just started and died: one more.
    await to('Processes')
    await items('Processes').first().waitFor()
    await page.getByRole('link', { name: 'Ended' }).tap()
    await dies(page, items('Processes').filter({ hasText: 'acts-late.service' }))
    // Who holds this port: two and its number; a third leads to the process.
    await to('TCP/UDP')
    await page.getByRole('searchbox').tap()
    await page.keyboard.type(`port:${port} state:LISTEN`)
    await expect.poll(() => items('TCP/UDP services').count()).toBe(1)
    await items('TCP/UDP services')
      .getByText(/\d+\/topdeck/)
      .tap()
    await panel(page, 'Process')
      .getByRole('heading', { name: /^topdeck \(/ })
      .waitFor()
    // Who changed what: one, and all that is known of it one more.
    await to('Log')
    await items('Log').first().tap()
    await panel(page, 'Record').getByText('By', { exact: true }).waitFor()
  })

  it('lead with the thumb to what can be done about them', async () => {
    const page = await as('admin', '/services?q=acts-', phone)
    const touch = await page.context().newCDPSession(page)
    /** A thumb moves up or down the page. */
    async function drag(from: number, to: number) {
      const at = (y: number) => ({ touchPoints: [{ x: 190, y }] })
      await touch.send('Input.dispatchTouchEvent', { type: 'touchStart', ...at(from) })
      for (let step = 1; step <= 10; step++)
        await touch.send('Input.dispatchTouchEvent', {
          type: 'touchMove',
          ...at(from + ((to - from) * step) / 10),
        })
      await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] })
    }
    const tap = (
      role: 'button' | 'menuitem' | 'link' | 'checkbox' | 'radio',
      name: string | RegExp,
    ) => page.getByRole(role, { name }).tap()
    const news = page.getByRole('region', { name: 'News' })
    const told = (text: string) =>
      news.getByRole('listitem').filter({ hasText: text }).getByText('succeeded').waitFor()
    const list = (name: string) => page.getByRole('list', { name, exact: true })

    // A service by its menu, and by the form.
    await tap('button', 'Actions: acts-sleep.service')
    await tap('menuitem', 'Restart')
    await told('Restart service: acts-sleep.service')
    // It is told in two lines: what one looks at is not covered.
    expect((await news.getByRole('listitem').first().boundingBox())?.height).toBeLessThan(80)
    await page.getByText('Act on a service').tap()
    await page.getByLabel('Service', { exact: true }).tap()
    await page.keyboard.type('acts-top.service')
    await page.getByRole('radio', { name: 'Stop' }).tap()
    await tap('button', 'Do it')
    await told('Stop service: acts-top.service')
    // Several that are tagged.
    await tap('checkbox', 'Tag acts-top.service')
    await tap('checkbox', 'Tag acts-sleep.service')
    await page
      .getByRole('group', { name: '2 tagged' })
      .getByRole('button', { name: 'Start', exact: true })
      .tap()
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /^Start/ })
      .tap()
    await told('Start service: acts-top.service')
    // A command, cancelled.
    await page.getByLabel('Or a command').tap()
    await page.keyboard.type('sleep 100')
    await tap('button', 'Run')
    const record = panel(page, 'Record')
    await record.getByRole('button', { name: 'Cancel it' }).tap()
    await record.getByText('sleep was canceled by admin').waitFor()
    await record.getByRole('button', { name: 'Close' }).tap()
    // The toasts lie where a thumb moves the page; what worked goes by itself.
    await expect.poll(() => news.getByRole('listitem').count()).toBe(0)
    // A journal that is followed, until one looks at what was before.
    await list('Services').getByText('acts-chatty.service').tap()
    const journal = panel(page, 'Service').getByRole('region', { name: 'Journal' })
    await journal
      .getByText(/^tick \d+$/)
      .nth(40)
      .waitFor()
    const box = await journal.boundingBox()
    await drag((box?.y ?? 0) + 120, (box?.y ?? 0) + 290)
    const ticks = journal.getByText(/^tick \d+$/)
    const line = journal.getByText(await ticks.nth(30).innerText(), { exact: true })
    const place = async () => (await line.boundingBox())?.y
    let before = await place()
    await expect.poll(async () => before === (before = await place())).toBe(true)
    const newest = await ticks.last().innerText()
    await expect.poll(() => ticks.last().innerText()).not.toBe(newest)
    expect(await place()).toBe(before)
    // A process gets a signal; the list is scrolled, frozen and made a tree.
    await page.getByRole('navigation').getByRole('link', { name: 'Processes' }).tap()
    const first = list('Processes').getByRole('listitem').first()
    await first.waitFor()
    const top = (await first.boundingBox())?.y
    await drag(650, 500)
    await expect.poll(async () => (await first.boundingBox())?.y).not.toBe(top)
    // A thumb that touches what still rolls stops it, and no more.
    let rolled = (await first.boundingBox())?.y
    await expect.poll(async () => rolled === (rolled = (await first.boundingBox())?.y)).toBe(true)
    await tap('button', 'Freeze the list')
    await tap('button', /^Let it go on/)
    await tap('link', 'Tree')
    await page.getByRole('button', { name: 'Fold' }).first().waitFor()
    await page.getByRole('searchbox').tap()
    await page.keyboard.type('acts-again.service')
    await page.getByText(/^1 of \d+$/).waitFor()
    await tap('button', /^Actions: \d+ sleep$/)
    await tap('menuitem', /^SIGTERM/)
    await page.getByRole('dialog').getByRole('button', { name: 'Send SIGTERM' }).tap()
    await news.getByText('sent SIGTERM').waitFor()
    // The language and the colours.
    await tap('button', 'You and your settings')
    await page.getByLabel('Colours').selectOption('dark')
    await page.getByLabel('Language').selectOption('zh')
    await page.getByRole('heading', { name: '进程' }).waitFor()
    const { inner, outer } = await page.evaluate(() => ({
      inner: document.documentElement.scrollWidth,
      outer: innerWidth,
    }))
    expect(inner).toBeLessThanOrEqual(outer)
  })
})
