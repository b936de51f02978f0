import { expect, it } from 'vitest'
import { Server } from './server'
import { usePages, useServer } from './use'

const server = await useServer(Server.ready())
const pages = await usePages()

it('asks who is signed in while the script is on its way, and once', async () => {
  const page = await pages.open()
  await server.letIn(page.context())
  let asked = 0
  page.on('request', (request) => {
    if (request.url().endsWith('/api/v1/entry')) asked++
  })
  const answered = page.waitForResponse('**/api/v1/entry')
  await page.route('**/assets/index-*.js', async (route) => {
    await answered
    await route.continue()
  })
  await page.goto(`${server.url}/services`)
  await page.getByText('Live', { exact: true }).waitFor()
  expect(asked).toBe(1)
})

it('connects before it draws', async () => {
  const page = await pages.open()
  await server.letIn(page.context())
  await page.addInitScript(() => {
    const { WebSocket } = window
    window.WebSocket = class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols)
        document.documentElement.dataset.drawn = `${document.querySelector('main') !== null}`
      }
    }
  })
  await page.goto(`${server.url}/services`)
  await page.getByText('Live', { exact: true }).waitFor()
  expect(await page.locator('html').getAttribute('data-drawn')).toBe('false')
})
