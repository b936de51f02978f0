import type { BrowserContextOptions } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { axe, phone } from './browser'
import * as use from './use'
import { param, rowOf } from './use'
import { process as row, workers } from './world'
import type { Process } from '../src/lib/wire.gen'

const pages = await use.usePages()

const staged = (path: string, processes: Process[], options?: BrowserContextOptions) =>
  use.staged(pages, path, { processes }, options)

describe('the processes as a tree', () => {
  const family = [
    { ...row(0), comm: 'ancestor' },
    { ...row(1), comm: 'mother', ppid: 1 },
    { ...row(2), comm: 'child', ppid: row(1).pid },
  ]

  it('by parent is folded and unfolded by keys', async () => {
    const { page } = await staged('/processes', family)
    await page.getByRole('link', { name: 'Tree', exact: true }).click()
    await page.getByRole('treegrid', { name: 'Processes' }).waitFor()
    const child = rowOf(page, 'child')
    expect(await child.getAttribute('aria-level')).toBe('3')
    await page.getByRole('region', { name: 'Processes' }).focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowLeft')
    await child.waitFor({ state: 'detached' })
    expect(await rowOf(page, 'mother').first().getAttribute('aria-expanded')).toBe('false')
    await page.keyboard.press('ArrowRight')
    await child.waitFor()
    expect(await axe(page)).toEqual([])
    await page.reload()
    expect(await rowOf(page, 'child').getAttribute('aria-level')).toBe('3')
  })

  it.each([
    ['a desk', {}],
    ['a phone', phone],
  ] as const)('has the acts of the list on %s, and one for all below a row', async (_, options) => {
    const { page } = await staged('/processes?view=tree', family, options)
    const mother = `Actions: ${row(1).pid} mother`
    await page.getByRole('button', { name: mother }).click()
    const menu = page.getByRole('menu', { name: mother })
    await menu.getByRole('menuitem', { name: 'SIGHUP' }).waitFor()
    await menu.getByRole('menuitem', { name: 'Details' }).waitFor()
    expect(await axe(page)).toEqual([])
    await menu.getByRole('menuitem', { name: 'Tag it and all below it' }).click()
    await page
      .getByRole('group', { name: '2 tagged' })
      .getByRole('button', { name: 'TERM' })
      .click()
    const dialog = page.getByRole('dialog', { name: 'TERM: 2 targets' })
    for (const name of ['mother', 'child']) await dialog.getByText(name).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: `Actions: ${row(2).pid} child` }).click()
    await page.getByRole('menuitem', { name: 'SIGHUP' }).waitFor()
    expect(await page.getByRole('menuitem', { name: 'Tag it and all below it' }).count()).toBe(0)
  })

  it.each([
    ['a desk', {}],
    ['a phone', phone],
  ] as const)('acts on a unit and on all its processes on %s', async (_, options) => {
    const all = [1, 2, 3].map((i) => ({ ...row(i), unit: 'web.service', slice: 'system.slice' }))
    const { page } = await staged('/processes?view=units', all, options)
    const more = page.getByRole('button', { name: 'Actions: web.service' })
    await more.click()
    const items = page.getByRole('menu', { name: 'Actions: web.service' }).getByRole('menuitem')
    expect(await items.allInnerTexts()).toEqual([
      'Restart',
      'Stop',
      'Tag all its processes',
      'Details',
      'Its processes',
      'Its sockets',
    ])
    await items.getByText('Tag all its processes').click()
    await page.getByRole('group', { name: '3 tagged' }).waitFor()
    await more.click()
    await items.getByText('Details').click()
    await expect.poll(() => param(page, 'open')).toBe('web.service')
    expect(new URL(page.url()).pathname).toBe('/services')
  })

  it('by slice and unit begins with the sums', async () => {
    const { page } = await staged('/processes?view=units', workers)
    const unit = rowOf(page, 'nginx.service').first()
    expect(await unit.getAttribute('aria-level')).toBe('2')
    await unit.getByText(/\d+ processes/).waitFor()
    // A group is tagged with all that is in it, by its menu.
    expect(await unit.getByRole('checkbox').count()).toBe(0)
    await unit.getByRole('button', { name: 'Unfold' }).click()
    await rowOf(page, 'worker-2').first().waitFor()
  })
})
