import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { axe, phone } from './browser'
import { staged, usePages } from './use'

// Who cannot read small text has the browser show a larger one: as its usual size, or as the smallest that is ever shown.

const usual = await usePages()
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
    await expect.poll(() => page.getByText('Loading …').count()).toBe(0)
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

it.each(['/', '/processes?view=tree', '/services', '/log', '/users'])(
  'where text is twice as large, so are the icons of %s',
  async (path) => {
    const heights = async (pages: typeof usual, width: number) => {
      const { page } = await staged(pages, path, {}, { viewport: { width, height: 2400 } })
      await page.getByRole('heading', { level: 1 }).waitFor()
      await expect.poll(() => page.getByText('Loading …').count()).toBe(0)
      const icons = page.locator(':is(a, button, search, th) svg')
      await icons.first().waitFor()
      return icons.evaluateAll((all) =>
        all.map((icon) => icon.getBoundingClientRect().height).filter((height) => height > 0),
      )
    }
    const before = new Set(await heights(usual, 1400))
    const after = new Set(await heights(browsers['twice the usual size'], 2800))
    expect([...after].sort()).toEqual([...before].map((height) => 2 * height).sort())
  },
)

describe('a window that is zoomed four times', () => {
  const viewport = { width: 350, height: 225 }

  it.each([
    ['/processes', 'Processes'],
    ['/services', 'Services'],
  ])('has room for the rows of %s', async (path, name) => {
    const { page } = await staged(usual, path, {}, { viewport })
    await page.getByRole('list', { name }).getByRole('link').first().click()
    await expect.poll(() => new URL(page.url()).searchParams.has('open')).toBe(true)
  })
})

it('a name is whole, whatever one does with a user', async () => {
  const viewport = { width: 320, height: 640 }
  const { page } = await staged(usual, '/users', {}, { ...phone, viewport })
  const name = page.getByRole('list', { name: 'Users', exact: true }).getByText('grace')
  await name.waitFor()
  const whole = await name.evaluate((element) => {
    let box: Element | null = element
    while (box && getComputedStyle(box).overflowX === 'visible') box = box.parentElement
    return box && box.scrollWidth <= box.clientWidth
  })
  expect(whole).toBe(true)
})
