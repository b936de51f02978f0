import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Pages } from './browser'
import { password, Server } from './server'

// Pages of others, in a browser that is signed in to topdeck. A page on another port of the same host is the worst of them: its
// requests carry the session's cookie, for which ports make no difference.

let server: Server
let pages: Pages
let other: HttpServer
let ours: URL

beforeAll(async () => {
  server = await Server.ready()
  ours = new URL(server.url)
  pages = await Pages.launch([
    '--host-resolver-rules=MAP evil.example 127.0.0.1',
    '--disable-features=LocalNetworkAccessChecks', // not every browser has them
  ])
  other = createServer((_, answer) => {
    answer.setHeader('Content-Type', 'text/html')
    answer.end('<!doctype html><title>another</title><body>')
  }).listen(0, '127.0.0.1')
  await once(other, 'listening')
})
afterAll(async () => {
  await pages.close()
  other.close()
  await server.remove()
})

/** What one could change, as the administrator sees it. */
async function state(page: Page): Promise<string> {
  const told = ['/users', '/sessions', '/operations'].map(async (path) => {
    const answer = await page.context().request.get(`${server.url}/api/v1${path}`)
    expect(answer.status()).toBe(200)
    const text = (await answer.text()).replace(/"(\w+At|lastUsed)":"[^"]*"/g, '')
    // Sessions come in the order of their last use, which pages that are open in other tests change.
    return path === '/sessions'
      ? text
          .match(/"id":"\w+"/g)
          ?.toSorted()
          .join('\n')
      : text
  })
  return (await Promise.all(told)).join('\n')
}

const json = { 'Content-Type': 'application/json' }
const signIn = JSON.stringify({ username: 'ada', password })
const add = JSON.stringify({ username: 'mallory', password, role: 'admin' })
const calls: [string, { body?: string; headers?: Record<string, string> }][] = [
  ['GET /api/v1/host', {}],
  ['GET /api/v1/session', {}],
  ['GET /api/v1/processes?limit=5', {}],
  ['GET /api/v1/operations/export?format=csv', {}],
  ['GET /healthz', {}],
  ['GET /', {}],
  ['POST /api/v1/users', { body: add, headers: json }],
  ['POST /api/v1/users', { body: add }],
  ['POST /api/v1/session', { body: signIn, headers: json }],
  ['POST /api/v1/session', { body: signIn }],
  ['POST /api/v1/commands', { body: '{"command":"true"}', headers: json }],
  ['POST /api/v1/operations/seen', { body: '{"all":true}' }],
  [
    'POST /api/v1/services/ssh/actions',
    { body: 'action=stop', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } },
  ],
  ['PATCH /api/v1/users/ada', { body: '{"role":"viewer"}', headers: json }],
  ['DELETE /api/v1/users/ada', {}],
  ['DELETE /api/v1/session', {}],
]

const enctypes = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']

/** Tries from a page what a page can try against the server, and tells each that came to something: none, from another origin. */
function attack(
  page: Page,
  { target = server.url, tried = calls, forms = true } = {},
): Promise<string[]> {
  return page.evaluate(
    async ({ target, tried, enctypes, add, signIn }) => {
      const reached: string[] = []
      for (const [call, init] of tried) {
        const [method, path] = call.split(' ')
        for (const mode of ['cors', 'no-cors'] as const) {
          for (const credentials of ['include', 'omit'] as const) {
            try {
              const answer = await fetch(target + path, {
                ...init,
                ...{ method, mode, credentials, redirect: 'manual' },
              })
              const text = await answer.text()
              if (answer.ok || /ada|root|Linux/.test(text))
                reached.push(
                  `${call} ${mode} ${credentials}: ${answer.status} ${text.slice(0, 80)}`,
                )
            } catch {
              // The browser keeps the answer from the page.
            }
          }
        }
      }

      const frame = (name: string, src?: string) => {
        const frame = document.createElement('iframe')
        frame.name = name
        if (src) frame.src = src
        const loaded = new Promise((resolve) => (frame.onload = resolve))
        document.body.append(frame)
        return { frame, loaded }
      }
      for (const enctype of enctypes) {
        for (const path of ['/users', '/session', '/operations/seen', '/setup']) {
          const form = document.createElement('form')
          Object.assign(form, { method: 'POST', enctype, action: `${target}/api/v1${path}` })
          const field = document.createElement('input')
          // As text/plain this is the JSON of the call.
          field.name =
            (path === '/users' ? add : path === '/session' ? signIn : '{"all":true}').slice(0, -1) +
            ',"x":"'
          field.value = '"}'
          form.append(field)
          const { frame: place, loaded } = frame(`form ${enctype} ${path}`, 'about:blank')
          await loaded
          const answered = new Promise((resolve) => (place.onload = resolve))
          form.target = place.name
          document.body.append(form)
          form.submit()
          await answered
          form.remove()
        }
      }

      const sockets = ['topdeck.v1', undefined].map(
        (protocol) =>
          new Promise<void>((resolve) => {
            const socket = new WebSocket(`${target.replace('http', 'ws')}/api/v1/live`, protocol)
            socket.onmessage = (message) =>
              reached.push(`WebSocket ${protocol}: ${String(message.data).slice(0, 80)}`)
            socket.onopen = () => {
              reached.push(`WebSocket ${protocol}`)
              setTimeout(() => socket.close(), 500)
            }
            socket.onclose = () => resolve()
          }),
      )
      await Promise.all(sockets)

      const parts: [string, string][] = [
        ['script', '/api/v1/session'],
        ['script', '/api/v1/operations/export?format=ndjson'],
        ['img', '/icon.svg'],
        ['link', '/api/v1/host'],
      ]
      for (const [tag, path] of parts) {
        const part = document.createElement(tag)
        if (part instanceof HTMLLinkElement)
          Object.assign(part, { rel: 'stylesheet', href: target + path })
        else part.setAttribute('src', target + path)
        const how = new Promise<boolean>((resolve) => {
          part.onload = () => resolve(true)
          part.onerror = () => resolve(false)
        })
        document.body.append(part)
        if (await how) reached.push(`${tag} of ${path}`)
      }

      for (const path of ['/', '/setup', '/api/v1/host', '/healthz']) {
        const { frame: place, loaded } = frame(`framed ${path}`, target + path)
        await loaded
        try {
          if (place.contentDocument) reached.push(`reads its frame of ${path}`)
        } catch {
          // As it should be.
        }
      }
      return reached
    },
    { target, tried, enctypes: forms ? enctypes : [], add, signIn },
  )
}

/** The addresses of those frames of a page that show the server. */
const framed = (page: Page, target = server.url) =>
  page
    .frames()
    .filter((frame) => frame.name().startsWith('framed') && frame.url().startsWith(target))
    .map((frame) => frame.url())

describe('a page of another origin', () => {
  for (const [name, host] of [
    ['another port of the same host', '127.0.0.1'],
    ['another name of this machine', 'localhost'],
    ['another site', 'evil.example'],
  ] as const) {
    it(`on ${name} reads nothing and changes nothing`, async () => {
      const page = await pages.open()
      await server.signIn(page.context())
      const before = await state(page)
      await page.goto(`http://${host}:${(other.address() as AddressInfo).port}/`)
      expect(await attack(page)).toEqual([])
      expect(framed(page)).toEqual([])
      expect(await state(page)).toBe(before)
    })

    it(`on ${name} has no hold on the window that it opens`, async () => {
      const page = await pages.open()
      await server.signIn(page.context())
      await page.goto(`http://${host}:${(other.address() as AddressInfo).port}/`)
      const opened = page.context().waitForEvent('page')
      await page.evaluate((url) => Object.assign(window, { opened: window.open(url) }), server.url)
      const popup = await opened
      await popup.getByRole('navigation').first().waitFor()
      expect(await popup.evaluate(() => window.opener === null)).toBe(true)
      await page.waitForFunction(() => (window as unknown as { opened: Window }).opened.closed) // for its opener
    })
  }

  it('by a name that turns into this machine (DNS rebinding) is refused by the server', async () => {
    const page = await pages.open()
    await server.signIn(page.context())
    const before = await state(page)
    const rebound = `http://evil.example:${ours.port}`
    expect((await page.goto(rebound))?.status()).toBe(403)
    // The page that came before the name turned: of one origin with what it asks then.
    await page.route(`${rebound}/`, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><body>' }),
    )
    await page.goto(`${rebound}/`)
    await page.unroute(`${rebound}/`)
    const reached = await attack(page, { target: rebound })
    expect(reached.filter((one) => !one.startsWith('reads its frame'))).toEqual([])
    expect(framed(page, rebound)).toEqual([])
    expect(await state(page)).toBe(before)
  })
})

it('a page of our own reaches what the others do not', async () => {
  const page = await pages.open()
  await server.signIn(page.context())
  await page.goto(server.url)
  const tried = calls.filter(([call]) => /host|session/.test(call) && !call.startsWith('DELETE'))
  const reached = await attack(page, { tried, forms: false }) // our pages have none that are sent
  for (const one of [
    'GET /api/v1/host cors include',
    'POST /api/v1/session cors include',
    'WebSocket topdeck.v1',
  ])
    expect(reached.filter((told) => told.startsWith(one))).not.toEqual([])
})
