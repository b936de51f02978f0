import type { BrowserContextOptions, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import * as use from './use'
import type { World } from './world'

// How a page looks in states that one seldom sees.

const pages = await use.usePages()

const staged = (path: string, part?: Partial<World>, options?: BrowserContextOptions) =>
  use.staged(pages, path, part, options)

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
