import { afterAll, beforeAll, expect, it } from 'vitest'
import { Pages } from './browser'
import { Server } from './server'

let server: Server
let pages: Pages

beforeAll(async () => {
  server = await Server.ready()
  pages = await Pages.launch()
})
afterAll(async () => {
  await pages.close()
  await server.remove()
})

// What the whole app weighs, its typeface included, as the server sends it to a browser that knows Brotli; and what all has
// come when a list is there: the answers of the API and the text of the live connection too, with one row in it.
const mostOfTheApp = 130_000
const mostUntilTheList = 200_000

it('weighs little, and little more has come when a list shows', async () => {
  const page = await pages.open()
  await server.letIn(page.context())
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('Network.enable')
  const paths = new Map<string, string>()
  const came: { path: string; bytes: number }[] = []
  cdp.on('Network.responseReceived', ({ requestId, response }) =>
    paths.set(requestId, new URL(response.url).pathname),
  )
  // On the wire a frame is compressed: its text is not less.
  cdp.on('Network.webSocketFrameReceived', ({ response }) =>
    came.push({ path: 'live', bytes: response.payloadData.length }),
  )
  cdp.on('Network.dataReceived', ({ requestId, encodedDataLength }) =>
    came.push({ path: paths.get(requestId) ?? '', bytes: encodedDataLength }),
  )
  const sum = (list: typeof came) => list.reduce((total, { bytes }) => total + bytes, 0)

  await page.goto(`${server.url}/processes?q=pid:1`)
  await page.getByRole('table').getByRole('link').first().waitFor()
  const all = [...came]
  expect(sum(all), JSON.stringify(all)).toBeLessThan(mostUntilTheList)

  await page.evaluate(() => document.fonts.ready)
  const app = came.filter(({ path }) => path !== 'live' && !path.startsWith('/api/'))
  for (const kind of [/^\/processes$/, /\.js$/, /\.css$/, /\.woff2$/])
    expect(new Set(app.map(({ path }) => path).filter((path) => kind.test(path))).size).toBe(1)
  expect(sum(app), JSON.stringify(app)).toBeLessThan(mostOfTheApp)
})
