import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { phone } from './browser'
import * as use from './use'
import { operation, process as row, service } from './world'

const pages = await use.usePages()

const processes = Array.from({ length: 2_000 }, (_, i) => ({ ...row(i), comm: `worker-${i}` }))

const rowOf = (page: Page, name: string) =>
  page.getByRole('row').filter({ has: page.getByText(name, { exact: true }) })
/** Where a row is seen, in pixels from the top of the window. */
const seenAt = async (page: Page, name: string) => (await rowOf(page, name).boundingBox())?.y

describe('who goes back to a list', () => {
  it('finds its rows where they were, though others came above', async () => {
    const { page, stage } = await use.staged(pages, '/processes?sort=pid&order=asc', { processes })
    const rows = page.getByRole('region', { name: 'Processes', exact: true })
    await rowOf(page, 'worker-3').waitFor()
    await rows.evaluate((element) => element.scrollTo({ top: 25_410 }))
    await rowOf(page, 'worker-1002').waitFor()
    const before = await seenAt(page, 'worker-1002')
    await rowOf(page, 'worker-1002')
      .getByRole('link', { name: /\.service$/ })
      .click()
    await page.getByRole('heading', { name: 'Services' }).waitFor()
    const newcomers = [1, 2, 3].map((pid) => ({ ...row(0), pid: 1 + pid, comm: `new-${pid}` }))
    stage.world.processes = [...newcomers, ...processes]
    await page.goBack()
    await rowOf(page, 'worker-1002').waitFor()
    await expect.poll(() => seenAt(page, 'worker-1002')).toBe(before)
    // And once more, from the other side; who comes by a link begins at the top.
    await page.goForward()
    await page.getByRole('heading', { name: 'Services' }).waitFor()
    await page.goBack()
    await expect.poll(() => seenAt(page, 'worker-1002')).toBe(before)
    await page.getByRole('link', { name: 'Log' }).click()
    await page.getByRole('heading', { name: 'Log' }).waitFor()
    await page.getByRole('link', { name: 'Processes' }).click()
    await page.getByRole('row').nth(9).waitFor()
    expect(await rows.evaluate((element) => element.scrollTop)).toBe(0)
  })
})

describe('who comes to what a link opens', () => {
  const services = Array.from({ length: 300 }, (_, i) => ({
    ...service(i),
    name: `unit-${100 + i}.service`,
  }))
  const link = (name: string) => `/services?open=${name}.service`
  /** Whether a row, or what takes its place on a phone, is wholly in sight. */
  const inSight = async (page: Page, name: string) => {
    const seen = page.locator('[data-index]').filter({ has: page.getByText(`${name}.service`) })
    const [row, around] = await Promise.all([
      (await seen.count()) > 0 ? seen.first().boundingBox() : null,
      page.locator('[data-rows]').boundingBox(),
    ])
    return (
      row !== null &&
      around !== null &&
      row.y >= around.y &&
      row.y + row.height <= around.y + around.height
    )
  }

  it('finds its row in sight', async () => {
    const { page, stage } = await use.staged(pages, link('unit-250'), { services })
    await expect.poll(() => inSight(page, 'unit-250')).toBe(true)
    // Who scrolls away is not led back by what changes.
    const rows = page.getByRole('region', { name: 'Services', exact: true })
    await rows.evaluate((element) => element.scrollTo({ top: 0 }))
    await rowOf(page, 'unit-101.service').waitFor()
    stage.push('services', [
      { ...services[150], mainPid: 4242 },
      { ...services[0], mainPid: 4243 },
    ])
    await page.getByRole('link', { name: '4243' }).waitFor()
    expect(await inSight(page, 'unit-250')).toBe(false)
    // What is opened here stays where it is; Back leads to what was open before, wherever that is.
    const before = await seenAt(page, 'unit-103.service')
    await rowOf(page, 'unit-103.service').getByRole('link', { name: 'unit-103' }).click()
    await expect.poll(() => use.param(page, 'open')).toBe('unit-103.service')
    expect(await seenAt(page, 'unit-103.service')).toBe(before)
    await page.goBack()
    await expect.poll(() => inSight(page, 'unit-250')).toBe(true)
  })

  it('goes on from it by keys', async () => {
    const { page } = await use.staged(pages, link('unit-250'), { services })
    await expect.poll(() => inSight(page, 'unit-250')).toBe(true)
    await page.keyboard.press('Escape')
    await expect.poll(() => use.param(page, 'open')).toBeNull()
    await page.keyboard.press('ArrowDown')
    const focused = () => page.evaluate(() => document.activeElement?.textContent)
    await expect.poll(focused).toContain('unit-251.service')
  })

  it('finds it there too when the panel that took its place has been closed', async () => {
    const { page } = await use.staged(pages, link('unit-250'), { services }, phone)
    await page.getByRole('complementary').getByRole('button', { name: 'Close' }).tap()
    await expect.poll(() => inSight(page, 'unit-250')).toBe(true)
  })

  const operations = Array.from({ length: 48 }, (_, i) =>
    operation(48 - i, { target: `unit-${48 - i}.service` }),
  )

  it('finds a record of the log so', async () => {
    const { page } = await use.staged(pages, '/log?open=3', { operations })
    await page.getByRole('complementary').getByText('unit-3.service').first().waitFor()
    await expect.poll(() => inSight(page, 'unit-3')).toBe(true)
  })

  it('finds a record of the log too when the panel that took its place has been closed', async () => {
    const { page } = await use.staged(pages, '/log?open=3', { operations }, phone)
    await page.getByRole('complementary').getByRole('button', { name: 'Close' }).tap()
    await expect.poll(() => inSight(page, 'unit-3')).toBe(true)
  })
})

it('who closes a panel after scrolling acts by keys on the row that has the focus, and on no other', async () => {
  const { page } = await use.staged(pages, '/processes?sort=pid&order=asc', { processes })
  const rows = page.getByRole('region', { name: 'Processes', exact: true })
  await rowOf(page, 'worker-3').waitFor()
  await rows.focus()
  for (const key of ['ArrowDown', 'ArrowDown', 'Enter']) await page.keyboard.press(key)
  const panel = page.getByRole('complementary', { name: 'Process', exact: true })
  await panel.waitFor()
  await rows.evaluate((element) => element.scrollTo({ top: 25_410 }))
  await rowOf(page, 'worker-1002').waitFor()
  await page.keyboard.press('Escape')
  await panel.waitFor({ state: 'detached' })
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-rowindex'))
  await expect.poll(focused).toMatch(/^\d+$/)
  const row = processes[Number(await focused()) - 2]
  await page.keyboard.press('Space')
  await expect
    .poll(() => new URL(page.url()).searchParams.get('tag'))
    .toBe(`${row?.pid}%3A${row?.startTime}`)
})
