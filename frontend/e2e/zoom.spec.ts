import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { axe } from './browser'
import { staged, usePages } from './use'

// Who cannot read small text has the browser show a larger one: as its usual size, or as the smallest that is ever shown.

const browsers = {
  'twice the usual size': await usePages(['--blink-settings=defaultFontSize=32']),
  'a smallest size': await usePages(['--blink-settings=minimumFontSize=24']),
}

/** The texts of the cells below some titles that are not shown whole, and of the titles themselves. */
const cut = (page: Page, titles: string[]) =>
  page.getByRole('table').evaluate((table, titles) => {
    const heads = [...table.querySelectorAll('th')]
    const whole = ({ scrollWidth, clientWidth, scrollHeight, clientHeight }: Element) =>
      scrollWidth <= clientWidth && scrollHeight <= clientHeight + 1
    return titles.flatMap((title) => {
      const at = heads.findIndex((head) => head.innerText.trim() === title)
      if (at < 0) return [`there is no ${title}`]
      const cells = [...table.querySelectorAll<HTMLElement>(`tbody td:nth-child(${at + 1})`)]
      return [heads[at], ...cells]
        .filter((cell) => cell && !whole(cell))
        .map((cell) => `${title}: ${cell?.innerText}`)
    })
  }, titles)

describe.each(Object.entries(browsers))('with %s', (_, pages) => {
  const viewport = { width: 1920, height: 1080 }

  it.each([
    ['/processes', ['PID', 'User', 'CPU %', 'Memory', 'State']],
    ['/sockets', ['Protocol', 'Recv-Q', 'Send-Q', 'State', 'PID/Program']],
    ['/services', ['State', 'At boot', 'PID', 'CPU %', 'Memory']],
    ['/log', ['Time', 'Type', 'Result', 'By', 'Seen']],
  ])('the columns of %s are as wide, and its rows as high, as their text', async (path, titles) => {
    const { page } = await staged(pages, path, {}, { viewport })
    await page.getByRole('table').getByRole('rowheader').first().waitFor()
    expect(await cut(page, titles)).toEqual([])
    expect(await axe(page)).toEqual([])
  })

  it.each(['/', '/host', '/users', '/account'])('nothing of %s is out of sight', async (path) => {
    const { page } = await staged(pages, path, {}, { viewport: { width: 1400, height: 900 } })
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.getByText('Loading …').waitFor({ state: 'detached' })
    const { inner, outer } = await page.evaluate(() => ({
      inner: document.documentElement.scrollWidth,
      outer: innerWidth,
    }))
    expect(inner).toBeLessThanOrEqual(outer)
  })
})

it('a page whose text is twice as large is laid out as one that is half as wide', async () => {
  const pages = browsers['twice the usual size']
  const viewport = { width: 1024, height: 768 }
  const { page } = await staged(pages, '/processes', {}, { viewport })
  const items = page.getByRole('list', { name: 'Processes' }).getByRole('listitem')
  await items.first().waitFor()
  const [one, two] = await Promise.all([0, 1].map((at) => items.nth(at).boundingBox()))
  expect(one?.height).toBeGreaterThan(80)
  expect(two?.y).toBe((one?.y ?? 0) + (one?.height ?? 0))
})
