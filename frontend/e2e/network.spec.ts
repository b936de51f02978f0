import type { Page } from 'playwright-core'
import { describe, expect, it, onTestFinished } from 'vitest'
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
async function open(): Promise<{ page: Page; network: Proxy }> {
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

/** How many seconds a page takes until it is live once the network is fair again. */
async function back(page: Page, network: Proxy): Promise<number> {
  await network.turn('fair')
  const since = Date.now()
  await live(page).waitFor({ timeout: 30_000 })
  return (Date.now() - since) / 1000
}

describe.concurrent('a network that was away and is back', { timeout: 90_000 }, () => {
  it.each<Weather>(['refusing', 'breaking'])(
    'is used within seconds by a page that nobody touches: it was %s',
    async (weather) => {
      const { page, network } = await open()
      await network.turn(weather)
      await page.getByText('The server does not answer.').first().waitFor({ timeout: 40_000 })
      const before = network.tries.length
      await sleep(15_000)
      // What it costs a server that breaks each try: a few connections, for the try and to ask why.
      expect(network.tries.length - before).toBeLessThan(25)
      expect(await back(page, network)).toBeLessThan(9)
    },
  )

  it('is told of while it swallows all, though nobody says that a connection is lost', async () => {
    const { page, network } = await open()
    await network.turn('swallowing')
    const told = page.getByText('The server does not answer.').first()
    await told.waitFor({ timeout: 40_000 })
  })

  it('is used at once by a page that one uses', async () => {
    const { page, network } = await open()
    await network.turn('refusing')
    await sleep(12_000)
    await page.mouse.move(300, 300)
    await network.turn('fair')
    await sleep(1_600)
    await page.mouse.move(400, 300)
    await live(page).waitFor({ timeout: 2_000 })
  })

  it('is used whenever it is there, where it comes and goes', async () => {
    const { page, network } = await open()
    const waits: number[] = []
    for (let i = 0; i < 5; i++) {
      await network.turn(i % 2 ? 'refusing' : 'breaking')
      await sleep(3_000)
      waits.push(await back(page, network))
      await sleep(3_000)
    }
    // It held, each time: the pauses do not add up. A machine that is busy takes seconds of its own.
    expect(Math.max(...waits)).toBeLessThan(9)
  })
})
