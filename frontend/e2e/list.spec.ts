import type { BrowserContextOptions } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { axe, phone } from './browser'
import * as use from './use'
import { param, rowOf } from './use'
import { process as row, service, workers as processes } from './world'
import type { World } from './world'

const pages = await use.usePages()

const key = (i: number) => `${processes[i]?.pid}:${processes[i]?.startTime}`

const staged = (
  path: string,
  part: Partial<World> = { processes },
  options?: BrowserContextOptions,
) => use.staged(pages, path, part, options)

describe('the columns', () => {
  it('are chosen and ordered, in the address and for the next time', async () => {
    const { page } = await staged('/processes')
    const titles = () =>
      page.getByRole('columnheader').evaluateAll((all) => all.map((th) => th.textContent?.trim()))
    await rowOf(page, 'worker-0').waitFor()
    await page.getByRole('button', { name: 'Columns and rows' }).click()
    const menu = page.getByRole('group', { name: 'Columns and rows' })
    await menu.getByLabel('Virtual').check()
    await expect.poll(titles).toContain('Virtual')
    await menu.getByRole('button', { name: 'User: further left' }).click()
    await expect.poll(async () => (await titles()).slice(1, 3)).toEqual(['User', 'PID'])
    expect(await axe(page)).toEqual([])
    expect(param(page, 'columns')).toMatch(/^user,pid,/)
    await page.goto('http://localhost:7373/processes')
    await expect.poll(async () => (await titles()).slice(1, 3)).toEqual(['User', 'PID'])
    await page.getByRole('button', { name: 'Columns and rows' }).click()
    await menu.getByRole('button', { name: 'The usual columns' }).click()
    await expect.poll(async () => (await titles()).slice(1, 3)).toEqual(['PID', 'User'])
  })

  it('are those of the address: who is given one sees the same table, whatever they chose', async () => {
    const { page } = await staged('/processes?q=worker')
    const heading = page.getByRole('columnheader', { name: 'Virtual' })
    const place = (name: string) =>
      page.getByRole('navigation').getByRole('link', { name, exact: true }).click()
    await rowOf(page, 'worker-0').waitFor()
    await expect.poll(() => param(page, 'columns')).toBe('usual')
    const given = page.url()
    await page.getByRole('button', { name: 'Columns and rows' }).click()
    await page.getByLabel('Virtual').check()
    await heading.waitFor()

    await page.goto(given)
    await rowOf(page, 'worker-0').waitFor()
    expect(await heading.count()).toBe(0)
    // What leads elsewhere tells no columns: they are as one had them last, and Back leads to those of before.
    await place('Host')
    await place('Processes')
    await heading.waitFor()
    await expect.poll(() => param(page, 'columns')).toContain('vsize')
    await page.goBack()
    await page.goBack()
    await rowOf(page, 'worker-0').waitFor()
    expect(await heading.count()).toBe(0)
  })

  it('leave room for 25 services', async () => {
    const { page } = await staged('/services', {})
    await page.getByRole('row').nth(30).waitFor({ state: 'attached' })
    const visible = await page
      .getByRole('row')
      .evaluateAll((rows) => rows.filter((tr) => tr.getBoundingClientRect().bottom <= innerHeight))
    expect(visible.length - 1).toBeGreaterThanOrEqual(25)
    for (const name of ['PID', 'CPU %', 'Memory', 'Ports', 'Since'])
      await page.getByRole('columnheader', { name, exact: true }).waitFor()
  })
})

describe('the search', () => {
  it('completes fields and values by keys, and explains itself', async () => {
    const { page } = await staged('/processes', {})
    const field = page.getByRole('searchbox')
    await rowOf(page, 'nginx').first().waitFor()
    await field.pressSequentially('us')
    await page.getByRole('option', { name: 'user:' }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('option', { name: 'user:www-data' }).waitFor()
    expect(await axe(page)).toEqual([])
    await page.getByRole('option', { name: 'user:www-data' }).click()
    expect(await field.inputValue()).toBe('user:www-data ')
    await field.fill('')
    await page.getByRole('button', { name: 'How to search' }).click()
    await page.getByText('more, less; >= and <= too').waitFor()
    expect(await axe(page)).toEqual([])
  })
})

describe('one graph of the host', () => {
  it('leads from a service to its processes and ports, and back', async () => {
    const { page } = await staged('/services', {
      services: [{ ...service(0), name: 'web.service', ports: [8080], pids: [900] }],
    })
    await rowOf(page, 'web.service').getByRole('link', { name: '8080' }).click()
    await expect.poll(() => param(page, 'q')).toBe('unit:"web.service" port:8080')
    await page.goBack()
    await rowOf(page, 'web.service').getByRole('link', { name: '1', exact: true }).click()
    await expect.poll(() => param(page, 'q')).toBe('unit:"web.service"')
    expect(new URL(page.url()).pathname).toBe('/processes')
    await page.goBack()
    await rowOf(page, 'web.service').waitFor()
  })

  it('leads from a socket to its unit', async () => {
    const { page } = await staged('/sockets', {})
    await rowOf(page, 'nginx').getByRole('link', { name: 'nginx.service' }).first().click()
    await expect.poll(() => param(page, 'open')).toBe('nginx.service')
    expect(new URL(page.url()).pathname).toBe('/services')
  })
})

describe('what is around the rows', () => {
  it('fits: neither the window nor a table with room for its columns scrolls', async () => {
    const { page } = await staged('/processes')
    await rowOf(page, 'worker-0').waitFor()
    // What is read out is said somewhere in the page.
    await page.keyboard.press('f')
    await page.getByText('Frozen: order and rows stay').first().waitFor()
    const beyond = await page.evaluate(() =>
      [document.documentElement, document.querySelector('[data-rows]')].map(
        (box) =>
          box && [
            box.scrollWidth - box.clientWidth,
            box === document.documentElement && box.scrollHeight - box.clientHeight,
          ],
      ),
    )
    expect(beyond).toEqual([
      [0, 0],
      [0, false],
    ])
  })

  it.each([
    ['a table', 'tbody', 'td', {}],
    ['a list on a phone', 'ul[aria-label]', 'li', phone],
  ])('is ruled where rows are still to be drawn: %s', async (_, all, one, options) => {
    const { page } = await staged('/processes', { processes }, options)
    await page.getByText('worker-0', { exact: true }).waitFor()
    const rules = await page.locator('[data-rows]').evaluate(
      (box, [all, one]) => {
        const style = (name: string) => getComputedStyle(box.querySelector(name) as Element)
        const { backgroundImage, backgroundSize } = style(all as string)
        const { borderBottomColor } = style(one as string)
        const height = box.querySelector('[data-index]')?.clientHeight ?? 0
        return { backgroundImage, backgroundSize, borderBottomColor, height }
      },
      [all, one],
    )
    expect(rules.backgroundImage).toContain(rules.borderBottomColor)
    expect(rules.backgroundSize).toBe(`100% ${rules.height + (one === 'li' ? 1 : 0)}px`)
  })
})

describe('ten thousand processes', () => {
  it('change only what changed on the screen, and nothing grows', async () => {
    const many = Array.from({ length: 10_000 }, (_, i) => ({ ...row(i), cpuPercent: 0 }))
    const { page, stage } = await staged('/processes?sort=pid&order=asc', { processes: many })
    await page.getByRole('row').nth(20).waitFor()
    await page.evaluate(() => {
      const seen = new Set<string>()
      Object.assign(window, { seen, peak: 0 })
      new MutationObserver((changes) => {
        for (const { target } of changes) {
          const element = target instanceof Element ? target : target.parentElement
          const place = element?.closest('tr')?.getAttribute('aria-rowindex')
          if (place) seen.add(place)
        }
      }).observe(document.body, { subtree: true, childList: true, characterData: true })
    })
    const changed = [3, 7, 11, ...Array.from({ length: 497 }, (_, i) => 1000 + i * 9)]
    stage.push(
      'processes',
      changed.map((i) => ({ ...many[i], rss: 123_456_789 })),
    )
    await page.getByRole('cell', { name: '118 MiB', exact: true }).nth(2).waitFor()
    const seen = await page.evaluate(() => [...(window as unknown as { seen: Set<string> }).seen])
    expect(seen.toSorted()).toEqual(['13', '5', '9'])

    const cdp = await page.context().newCDPSession(page)
    const size = async () => {
      await cdp.send('HeapProfiler.collectGarbage')
      const { usedSize } = await cdp.send('Runtime.getHeapUsage')
      const nodes = await page.evaluate(() => document.querySelectorAll('*').length)
      return { heap: usedSize / 2 ** 20, nodes }
    }
    const push = (round: number) =>
      stage.push(
        'processes',
        changed.map((i) => ({ ...many[i], rss: 1e6 * (round + 1), cpuPercent: (i % 7) + 1 })),
      )
    for (let round = 0; round < 20; round++) push(round)
    await page.getByRole('cell', { name: '19.1 MiB', exact: true }).nth(2).waitFor()
    const before = await size()
    for (let round = 20; round < 120; round++) push(round)
    await page
      .getByRole('cell', { name: '114 MiB', exact: true })
      .nth(2)
      .waitFor({ timeout: 60_000 })
    const after = await size()
    expect(after.nodes).toBeLessThan(3000)
    expect(after.nodes - before.nodes).toBeLessThan(100)
    expect(after.heap).toBeLessThan(80)
    expect(after.heap - before.heap).toBeLessThan(8)
  })
})

describe('on a phone', () => {
  it('where a panel stands in place of the list, the search of the list is away', async () => {
    const { page } = await staged('/processes', { processes }, phone)
    const search = page.getByRole('searchbox')
    await search.waitFor()
    await page.getByRole('listitem').filter({ hasText: 'worker-3' }).first().tap()
    await page.getByRole('complementary').waitFor()
    expect(await search.count()).toBe(0)
    await page.getByRole('complementary').getByRole('button', { name: 'Close' }).tap()
    await search.waitFor()
  })

  it.each([
    ['en-GB', 'for 2h', 'lived 12 ms'],
    ['zh-CN', '已持续 2小时', '存活 12 ms'],
  ])('a row says what its times are: %s', async (locale, stands, lived) => {
    const since = new Date(Date.now() - 2 * 3_600_000).toISOString()
    const services = [{ ...service(0), since }]
    const { page } = await staged('/services', { services }, { ...phone, locale })
    await page.getByText(stands).waitFor()
    const other = await staged('/processes?view=ended', {}, { ...phone, locale })
    await expect.poll(() => other.stage.watches.size).toBeGreaterThan(0)
    const { pid, startTime } = row(70)
    other.stage.push(
      'processes',
      [],
      [],
      [{ key: `${pid}:${startTime}`, exitCode: 0, signal: null, lived: 0.012, row: row(70) }],
    )
    await other.page.getByText(lived).waitFor()
  })

  it('everything is there, and nothing overflows', async () => {
    const { page, stage } = await staged('/processes', { processes }, phone)
    const list = page.getByRole('list', { name: 'Processes' })
    await list.getByText('worker-0').waitFor()
    await page.getByRole('link', { name: 'Tree', exact: true }).click()
    await page.getByRole('button', { name: 'Freeze the list' }).click()
    await page.getByText('Frozen: order and rows stay').first().waitFor()
    await list.getByRole('checkbox').first().check()
    await page.getByRole('group', { name: '1 tagged' }).waitFor()
    stage.push('processes', [], [key(0)], [{ key: key(0), exitCode: null, signal: 15, lived: 1 }])
    await list.getByText('killed by SIGTERM').waitFor()
    expect(await axe(page)).toEqual([])
    const { inner, outer } = await page.evaluate(() => ({
      inner: document.documentElement.scrollWidth,
      outer: innerWidth,
    }))
    expect(inner).toBeLessThanOrEqual(outer)
  })
})
