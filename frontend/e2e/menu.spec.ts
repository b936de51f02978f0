import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { phone } from './browser'
import * as use from './use'
import { process as row } from './world'

const pages = await use.usePages()

const processes = Array.from({ length: 200 }, (_, i) => ({
  ...row(i),
  comm: `worker-${i}`,
  cpuPercent: 0,
}))

const rowOf = (page: Page, name: string) => page.getByRole('row').filter({ hasText: name })

it('while one reads the menu of a row, no row moves, and the menu stays', async () => {
  const { page, stage } = await use.staged(pages, '/processes?sort=pid&order=asc', { processes })
  const rows = page.getByRole('region', { name: 'Processes', exact: true })
  await rowOf(page, 'worker-3').first().waitFor()
  await rows.evaluate((element) => element.scrollTo({ top: 2_540 }))
  const target = rowOf(page, 'worker-105')
  const name = `Actions: ${processes[105]?.pid} worker-105`
  await target.getByRole('button', { name }).click()
  // The pointer goes from the row to the menu, and stays on it.
  await page.getByRole('menuitem', { name: 'Its sockets' }).hover()
  const before = await target.boundingBox()
  const newcomers = [2, 3, 4].map((pid) => ({ ...row(0), pid, comm: `new-${pid}` }))
  stage.push('processes', [...newcomers, { ...processes[105], rss: 123_456_789 }])
  await target.getByText('118 MiB').waitFor()
  expect(await target.boundingBox()).toEqual(before)
  await page.getByRole('menu', { name }).waitFor()
  await page.keyboard.press('Escape')
  await page.mouse.move(300, 20)
  const there = () => rowOf(page, 'worker-105').first().getAttribute('aria-rowindex')
  await expect.poll(there).toBe('110')
})

it('on a phone it says of which row it is', async () => {
  const { page } = await use.staged(pages, '/processes?sort=pid&order=asc', { processes }, phone)
  const name = `Actions: ${processes[3]?.pid} worker-3`
  await page.getByRole('button', { name, exact: true }).tap()
  expect(await page.getByRole('menu', { name }).getByText(name).isVisible()).toBe(true)
})
