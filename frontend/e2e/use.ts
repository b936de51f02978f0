import type { BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, expect } from 'vitest'
import { Pages } from './browser'
import type { Server } from './server'
import { Stage } from './stage'
import { world } from './world'
import type { World } from './world'

/** A Chromium for the tests of one file, none of which may leave a fault in a page. */
export async function usePages(args: string[] = []): Promise<Pages> {
  const pages = await Pages.launch(args)
  afterAll(() => pages.close())
  afterEach(() => expect(pages.faults.splice(0)).toEqual([]))
  return pages
}

/** A server for the tests of one file. */
export async function useServer(starting: Promise<Server>): Promise<Server> {
  const server = await starting
  afterAll(() => server.remove())
  return server
}

/** Opens a page of a server: as ada, in the one session that all such pages share, or as whoever is named in one of their own. */
export async function visit(
  pages: Pages,
  server: Server,
  path: string,
  { as, ...options }: BrowserContextOptions & { as?: string } = {},
): Promise<Page> {
  const page = await pages.open(options)
  await (as ? server.signIn(page.context(), as) : server.letIn(page.context()))
  await page.goto(server.url + path)
  await page.getByRole('main').waitFor()
  return page
}

/** The same, once it is live. */
export async function watch(...where: Parameters<typeof visit>): Promise<Page> {
  const page = await visit(...where)
  await page.getByText('Live', { exact: true }).waitFor()
  return page
}

/** Opens a page of a server that is played. */
export async function staged(
  pages: Pages,
  path: string,
  part: Partial<World> = {},
  options: BrowserContextOptions = {},
): Promise<{ page: Page; stage: Stage }> {
  const page = await pages.open(options)
  const stage = new Stage(world(part))
  await stage.play(page)
  await page.goto('http://localhost:7373' + path)
  await page.getByRole('main').waitFor()
  return { page, stage }
}

/** The rows of a table that have a text. */
export const rowOf = (page: Page, text: string) => page.getByRole('row').filter({ hasText: text })

/** What the query of the page's address has under a name. */
export const param = (page: Page, name: string) => new URL(page.url()).searchParams.get(name)

/** The place of the row that has the focus, or within which something has. */
export const focused = (page: Page) =>
  page.evaluate(() => document.activeElement?.closest('tr')?.getAttribute('aria-rowindex') ?? null)
