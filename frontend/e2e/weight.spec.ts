import { expect, it } from 'vitest'
import { Server } from './server'
import { bytesOf, traffic } from './traffic'
import { usePages, useServer } from './use'

const server = await useServer(Server.ready())
const pages = await usePages()

// What the whole app weighs, its typeface included, as the server sends it to a browser that knows Brotli; and what all has
// come when a list is there: the answers of the API and the text of the live connection too.
const mostOfTheApp = 130_000
const mostUntilTheList = 200_000

it('weighs little, and little more has come when a list shows', async () => {
  const page = await pages.open()
  await server.letIn(page.context())
  const came = await traffic(page)
  await page.goto(`${server.url}/processes?q=pid:1`)
  await page.getByRole('table').getByRole('link').first().waitFor()
  const all = [...came]
  expect(bytesOf(all), JSON.stringify(all)).toBeLessThan(mostUntilTheList)

  await page.evaluate(() => document.fonts.ready)
  const app = came.filter(({ path }) => path !== 'live' && !path.startsWith('/api/'))
  for (const kind of [/^\/processes\?/, /\.js$/, /\.css$/, /\.woff2$/])
    expect(new Set(app.map(({ path }) => path).filter((path) => kind.test(path))).size).toBe(1)
  expect(bytesOf(app), JSON.stringify(app)).toBeLessThan(mostOfTheApp)
})

it('asks for little, and for nothing twice, to show the services', async () => {
  const page = await pages.open()
  await server.letIn(page.context())
  const came = await traffic(page)
  const asked: string[] = []
  page.on('request', (request) => asked.push(request.url().replace(server.url, '')))
  await page.goto(`${server.url}/services`)
  const list = page.getByRole('table', { name: 'Services' }).getByRole('link')
  await list.or(page.getByText('no services to show')).first().waitFor()
  const all = [...came]
  expect(bytesOf(all), JSON.stringify(all)).toBeLessThan(mostUntilTheList)

  await page.getByText('Live', { exact: true }).waitFor()
  await page.waitForLoadState('networkidle')
  expect(asked.filter((path) => path.startsWith('/api/')).toSorted()).toEqual([
    '/api/v1/entry',
    '/api/v1/host',
    '/api/v1/operations?limit=1',
    '/api/v1/operations?retStatus=running&limit=200',
  ])
  // The page, its script, its styles and its typeface.
  expect(asked.filter((path) => !path.startsWith('/api/') && path !== '/icon.svg')).toHaveLength(4)
})
