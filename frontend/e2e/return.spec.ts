import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import * as use from './use'
import { process as row } from './world'

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
