import type { BrowserContextOptions, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { axe, phone } from './browser'
import * as use from './use'
import { operation } from './world'
import type { World } from './world'

// How a page looks in states that one seldom sees.

const pages = await use.usePages()

const staged = (path: string, part?: Partial<World>, options?: BrowserContextOptions) =>
  use.staged(pages, path, part, options)

describe.each([
  ['a desk', {}],
  ['a phone', phone],
] as const)('on %s, the record of a command', (_, options) => {
  const command = { logType: 'command.run', target: 'make all', logStatus: 'new' } as const
  const running = operation(60, { ...command, retStatus: 'running', message: '' })
  const failed = operation(60, {
    ...command,
    retStatus: 'failed',
    message: 'make failed, exit status 2',
  })

  it('has no toast over it that tells what it tells, but one when it is left while it runs', async () => {
    const { page, stage } = await staged(
      '/services?record=60',
      { operations: [running] },
      { ...options, locale: 'en-GB' },
    )
    await page.getByText('Live', { exact: true }).waitFor()
    const news = page.getByRole('region', { name: 'News' })
    const record = page.getByRole('complementary', { name: 'Record' })
    stage.tell(running, 1)
    stage.tell(operation(61, { ...command, target: 'ls', retStatus: 'running', message: '' }), 2)
    await news.getByText('Run command: ls').waitFor()
    expect(await news.getByRole('listitem').count()).toBe(1)
    await record.getByRole('button', { name: 'Close' }).click()
    await news.getByText('Run command: make all').waitFor()
    await news.getByRole('link', { name: 'Open record' }).first().click()
    stage.tell(running, 1)
    await record.getByText('make all').first().waitFor()
    stage.tell(failed, 1)
    await record.getByText('exit status 2').waitFor()
    await page
      .getByRole('log')
      .getByText('Run command: make all. failed. exit status 2')
      .waitFor({ state: 'attached' })
    expect(await axe(page)).toEqual([])
    await record.getByRole('button', { name: 'Close' }).click()
    expect(await news.getByText('make all').count()).toBe(0)
  })
})

describe('where the system chooses the colours', () => {
  /** The grounds of what is chosen, and that of a part of the page that is marked as the system marks. */
  const grounds = (page: Page) =>
    page.evaluate(() => {
      const ground = (element: Element) => getComputedStyle(element).backgroundColor
      const marked = document.createElement('mark')
      marked.style.setProperty('forced-color-adjust', 'none')
      marked.style.background = 'Highlight'
      document.body.append(marked)
      const highlight = ground(marked)
      marked.remove()
      const chosen = document.querySelectorAll('[aria-pressed=true], ul [aria-current=true]')
      return { highlight, chosen: [...chosen].map(ground) }
    })

  it('the view that is shown, and a button that is held down, are marked as the system marks', async () => {
    const { page } = await staged('/processes?view=tree&freeze=1', {}, { forcedColors: 'active' })
    await page.getByRole('button', { name: 'Freeze', pressed: true }).waitFor()
    const { highlight, chosen } = await grounds(page)
    expect(chosen).toEqual([highlight, highlight])
  })
})
