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
    await press(page, 'g', 'n', '/', `port:${port}`, 'Enter')
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
})
