import { describe, expect, it } from 'vitest'
import * as use from './use'
import { focused, rowOf } from './use'
import { operation, process as row, workers as processes } from './world'
import type { World } from './world'

const pages = await use.usePages()

const staged = (path: string, part: Partial<World> = { processes }) => use.staged(pages, path, part)

describe('the keys of a table', () => {
  it('lead through all of it', async () => {
    const many = Array.from({ length: 500 }, (_, i) => row(i))
    const { page } = await staged('/processes?sort=pid&order=asc', { processes: many })
    await page.getByRole('region', { name: 'Processes' }).focus()
    await page.keyboard.press('End')
    await expect.poll(() => focused(page)).toBe('501')
    await page.keyboard.press('PageUp')
    expect(Number(await focused(page))).toBeLessThan(490)
    await page.keyboard.press('Home')
    await expect.poll(() => focused(page)).toBe('2')
  })

  it('lead to its rows from where nothing else takes them', async () => {
    const many = Array.from({ length: 500 }, (_, i) => row(i))
    const { page } = await staged('/processes?sort=pid&order=asc', { processes: many })
    await page.getByRole('row').nth(20).waitFor()
    await page.keyboard.press('End')
    await expect.poll(() => focused(page)).toBe('501')
    await page.getByRole('heading', { name: 'Processes' }).focus()
    await page.keyboard.press('Home')
    await expect.poll(() => focused(page)).toBe('2')
    // In the search they are for what is typed there.
    await page.keyboard.press('/')
    await page.keyboard.press('End')
    await expect.poll(() => focused(page)).toBeNull()
  })
})

describe('the keys of the search', () => {
  const log: Partial<World> = {
    answer: async (route, path) => {
      const { searchParams } = new URL(route.request().url())
      if (path !== '/operations' || !searchParams.get('q')) return false
      const operations = [operation(5, { target: 'cron.service' })]
      await route.fulfill({ json: { total: 1, atLeast: false, unseen: 0, next: '', operations } })
      return true
    },
  }
  const lists = [
    ['processes', { processes }, 'worker-17'],
    ['log', log, 'cron.service'],
  ] as const
  const keys = ['Enter', 'ArrowDown'] as const
  it.each(lists.flatMap((list) => keys.map((key) => [...list, key] as const)))(
    'lead to the first row that it finds, and back: %s',
    async (name, part, q, key) => {
      const { page } = await staged(`/${name}`, part)
      await page.getByRole('row').nth(9).waitFor()
      // Who was at another row before begins at the first one all the same.
      for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowDown')
      await expect.poll(() => focused(page)).toBe('4')
      await page.keyboard.press('/')
      await page.keyboard.type(q)
      await page.keyboard.press(key)
      await expect.poll(() => focused(page)).toBe('2')
      expect(await page.evaluate(() => document.activeElement?.textContent)).toContain(q)
      await page.keyboard.press('ArrowUp')
      const field = page.getByRole('searchbox')
      await expect.poll(() => field.evaluate((box) => box === document.activeElement)).toBe(true)
      await page.keyboard.press('ArrowDown')
      await expect.poll(() => focused(page)).toBe('2')
      await page.keyboard.press('Enter')
      await page.getByRole('complementary').waitFor()
    },
  )

  it('lead nowhere from a query that is refused, and to no row where none matches', async () => {
    const { page } = await staged('/processes')
    await rowOf(page, 'worker-0').waitFor()
    const field = page.getByRole('searchbox')
    await field.pressSequentially('a!')
    await page.keyboard.press('Enter')
    await page.getByText('! is no operator').waitFor()
    await page.keyboard.press('Backspace')
    await page.keyboard.type('bcdef')
    await page.keyboard.press('ArrowDown')
    await page.getByText('Nothing matches').waitFor()
    expect(await focused(page)).toBeNull()
  })
})

it('the row that has the focus is outlined whole, also where its menu lies over it', async () => {
  const { page } = await staged('/processes')
  await rowOf(page, 'worker-0').waitFor()
  for (let i = 0; i < 2; i++) await page.keyboard.press('ArrowDown')
  await expect.poll(() => focused(page)).toBe('3')
  const box = await rowOf(page, 'worker-1').first().boundingBox()
  if (!box) throw new Error('it is not there')
  // Of its upper edge what is below the rounded corner is left out.
  const clip = { x: box.x + box.width - 100, y: box.y + 1, width: 90, height: 1 }
  const png = (await page.screenshot({ clip })).toString('base64')
  const colours = await page.evaluate(async (png) => {
    const image = new Image()
    image.src = `data:image/png;base64,${png}`
    await image.decode()
    const canvas = new OffscreenCanvas(image.width, 1).getContext('2d')
    canvas?.drawImage(image, 0, 0)
    const { data = [] } = canvas?.getImageData(0, 0, image.width, 1) ?? {}
    return Array.from({ length: image.width }, (_, i) => data.slice(4 * i, 4 * i + 3).join())
  }, png)
  expect(new Set(colours).size).toBe(1)
})
