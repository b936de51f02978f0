import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import type { TestContext } from 'vitest'
import { Proxy } from './proxy'
import type { Weather } from './proxy'
import { Server } from './server'
import { usePages, useServer } from './use'

const server = await useServer(Server.ready())
const pages = await usePages()
await server.letIn((await pages.open()).context())

const live = (page: Page) => page.getByText('Live', { exact: true })
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A page that reaches the server by a network of its own. */
async function open({ onTestFinished }: TestContext): Promise<{ page: Page; network: Proxy }> {
  const network = await Proxy.start(server.url)
  onTestFinished(() => network.turn('refusing'))
  const page = await pages.open()
  // Its session is that of all pages: the cookie's name holds the port.
  await server.letIn(page.context())
  const cookies = await page.context().cookies()
  const { port } = new URL(server.url)
  const renamed = cookies.map((c) => ({ ...c, name: c.name.replace(port, `${network.port}`) }))
  await page.context().addCookies(renamed)
  await page.goto(`${network.url}/processes`)
  await live(page).waitFor()
  return { page, network }
}

/** Makes the network fair again, and waits for the page to be live. How soon that is, src/lib/live.test.ts holds. */
async function back(page: Page, network: Proxy) {
  await network.turn('fair')
  await live(page).waitFor({ timeout: 30_000 })
}

describe.concurrent('a network that was away and is back', { timeout: 120_000 }, () => {
  it.for<Weather>(['refusing', 'breaking', 'swallowing'])(
    'is used again by a page that nobody touches: it was %s',
    async (weather, test) => {
      const { page, network } = await open(test)
      await network.turn(weather)
      await page.getByText('The server does not answer.').first().waitFor({ timeout: 40_000 })
      const before = network.tries.length
      await sleep(15_000)
      // What it costs a server that breaks each try: a few connections, for the try and to ask why.
      expect(network.tries.length - before).toBeLessThan(25)
      await back(page, network)
    },
  )

  it('is used whenever it is there, where it comes and goes', async (test) => {
    const { page, network } = await open(test)
    for (let i = 0; i < 5; i++) {
      await network.turn(i % 2 ? 'refusing' : 'breaking')
      await sleep(3_000)
      await back(page, network)
      await sleep(3_000)
    }
  })
})
