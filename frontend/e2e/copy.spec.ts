import type { Locator, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { param, staged, usePages } from './use'
import { process as row } from './world'

const pages = await usePages()

const cmdline = `/usr/bin/java ${Array.from({ length: 60 }, (_, i) => `-Dx.${i}=y`).join(' ')}`
const processes = Array.from({ length: 40 }, (_, i) => ({ ...row(i), cpuPercent: 50 - i }))
processes[0] = { ...row(0), comm: 'java', cmdline, cpuPercent: 99 }

/** Selects what is within a width from the left of an element, as one does with a mouse. */
async function drag(page: Page, element: Locator, width: number) {
  const box = await element.boundingBox()
  if (!box) throw new Error('it is not there')
  const y = box.y + box.height / 2
  await page.mouse.move(box.x + 9, y)
  await page.mouse.down()
  await page.mouse.move(box.x + width, y, { steps: 4 })
  await page.mouse.up()
}

const selected = (page: Page) => page.evaluate(() => getSelection()?.toString())

it('text in a row is selected without opening it, and stays so while rows change', async () => {
  const { page, stage } = await staged(pages, '/processes', { processes })
  const cell = page.getByRole('cell', { name: '/usr/bin/java' })
  await drag(page, cell, 90)
  const text = await selected(page)
  expect(text).toMatch(/^\/usr\/bin\/java/)
  expect(param(page, 'open')).toBeNull()
  // Neither does another order take it away when the pointer has left.
  await page.mouse.move(300, 20)
  const java = page.getByRole('row').filter({ has: cell })
  stage.push('processes', [{ ...processes[0], cpuPercent: 0.1, rss: 123_456_789 }])
  await page.getByText('118 MiB').waitFor()
  expect(await selected(page)).toBe(text)
  expect(await java.getAttribute('aria-rowindex')).toBe('2')
  // Once it is no longer needed, the row goes where it belongs.
  await page.getByRole('heading', { name: 'Processes' }).click()
  await expect.poll(() => java.getAttribute('aria-rowindex')).toBe('41')
})

describe('a double click', () => {
  const text = (page: Page) => page.getByRole('cell', { name: '/usr/bin/java' })
  const link = (page: Page) => page.getByRole('link', { name: 'java', exact: true })
  const other = `${processes[9]?.pid}:${processes[9]?.startTime}`
  it.each([
    ['a text', text, 'usr', null],
    ['a link', link, 'java', null],
    ['a text beside a panel', text, 'usr', other],
    ['a link beside a panel', link, 'java', other],
  ])('selects a word of %s, and opens nothing', async (_, of, word, open) => {
    const query = open === null ? '' : `?open=${open}`
    const { page, stage } = await staged(pages, `/processes${query}`, { processes })
    const box = await of(page).boundingBox()
    await page.mouse.dblclick((box?.x ?? 0) + 20, (box?.y ?? 0) + 10, { delay: 60 })
    await expect.poll(() => selected(page)).toBe(word)
    expect(param(page, 'open')).toBe(open)
    // It stays so when the pointer has left and rows change.
    await page.mouse.move(300, 20)
    stage.push('processes', [{ ...processes[0], cpuPercent: 0.1, rss: 123_456_789 }])
    await page.getByText('118 MiB').waitFor()
    expect(await selected(page)).toBe(word)
  })

  it('selects a word of a row that leads to another page', async () => {
    const { page } = await staged(pages, '/sockets')
    const cell = page
      .getByRole('row')
      .nth(3)
      .getByText(/^\d+\.\d+\.\d+\.\d+:\d+$/)
      .first()
    const box = await cell.boundingBox()
    await page.mouse.dblclick((box?.x ?? 0) + 16, (box?.y ?? 0) + 10, { delay: 60 })
    await expect.poll(() => selected(page)).toMatch(/^\d+(\.\d+)*$/)
    expect(new URL(page.url()).pathname).toBe('/sockets')
  })
})

it('a long command line is copied whole from the panel of its process', async () => {
  const [process] = processes
  const { page } = await staged(
    pages,
    `/processes?open=${process?.pid}:${process?.startTime}`,
    {
      processes,
      answer: async (route, path) => {
        if (path !== `/processes/${process?.pid}`) return false
        await route.fulfill({
          json: {
            ...{ process, cwd: '/', exe: '/usr/bin/java', cgroup: '', children: [], limits: [] },
            ...{ sockets: [], status: null, memory: null, io: null, descriptors: null, errors: {} },
          },
        })
        return true
      },
    },
    { permissions: ['clipboard-read', 'clipboard-write'] },
  )
  await page.getByRole('button', { name: 'Copy: Command line' }).click()
  const copied = () => page.evaluate(() => navigator.clipboard.readText())
  await expect.poll(copied).toBe(cmdline)
})
