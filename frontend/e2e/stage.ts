import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Page, Route, WebSocketRoute } from 'playwright-core'
import type {
  ActivityReply,
  ClientMessage,
  EndedRow,
  ErrorBody,
  Operation,
  SummaryReply,
  Watch,
} from '../src/lib/wire.gen'
import { iso, now } from './world'
import type { World } from './world'

// A server that is played within the test: for states of the page that no real host is in when one wants it to be.

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

interface Sender {
  send(message: object): void
}

/** The server's side of one page. */
export class Stage {
  readonly world: World
  /** What the page asked for and still watches, by id. */
  readonly watches = new Map<string, Watch & { view: number; seq: number }>()
  #views = 0
  #socket: WebSocketRoute | null = null
  /** When false, nothing answers. */
  up = true
  /** Which build of the app it says that it serves. */
  build = 'b1'
  /** Why a watch of a topic is refused. */
  readonly refused: Partial<Record<Watch['topic'], ErrorBody>> = {}
  /** When false, HTTP answers and WebSockets do not open. */
  passing = true

  constructor(world: World) {
    this.world = world
  }

  async play(page: Page) {
    await page.route('**/*', (route) => this.#http(route))
    await page.routeWebSocket('**/api/v1/live', (socket) => this.#live(socket))
  }

  /** Pushes a change of rows to whoever watches the topic. */
  push(
    topic: Watch['topic'],
    upsert: object[],
    remove: string[] = [],
    ended: EndedRow<object>[] = [],
  ) {
    for (const watch of this.watches.values()) {
      if (watch.topic !== topic) continue
      this.#send({
        type: 'delta',
        view: watch.view,
        seq: ++watch.seq,
        time: new Date(now + watch.seq * 1000).toISOString(),
        total: this.#rows(topic).length,
        matched: this.#rows(topic).length,
        upsert,
        remove,
        ended,
        errors: this.world.errors,
      })
    }
  }

  /** Pushes a reading of the host to whoever watches it. */
  summary(summary: SummaryReply) {
    for (const watch of this.watches.values())
      if (watch.topic === 'summary')
        this.#send({ type: 'summary', view: watch.view, seq: ++watch.seq, ...summary })
  }

  /** Has exactly these services failed. */
  fail(...names: string[]) {
    this.world.summary.failedServices = { total: names.length, names: names.slice(0, 10) }
    this.summary(this.world.summary)
    for (const watch of this.watches.values())
      if (watch.topic === 'failed')
        this.#send({
          type: 'failed',
          view: watch.view,
          seq: ++watch.seq,
          total: names.length,
          names,
        })
  }

  /** Pushes lines to whoever follows a journal or the output of a command. */
  write(topic: 'journal' | 'output', lines: object[]) {
    for (const watch of this.watches.values())
      if (watch.topic === topic) this.#send({ type: topic, view: watch.view, lines })
  }

  tell(operation: Operation, unseen: number) {
    this.#send({ type: 'operation', operation, unseen })
  }

  /** Takes the server away. */
  async down() {
    this.up = false
    await this.#socket?.close({ code: 1001 })
  }

  async hangUp(code = 1011) {
    await this.#socket?.close({ code })
  }

  #send(message: object) {
    this.#socket?.send(JSON.stringify(message))
  }

  #rows(topic: Watch['topic']): object[] {
    return topic === 'processes'
      ? this.world.processes
      : topic === 'sockets'
        ? this.world.sockets
        : topic === 'services'
          ? this.world.services
          : []
  }

  #live(socket: WebSocketRoute) {
    if (!this.up || !this.passing) {
      void socket.close({ code: 1011 })
      return
    }
    this.#socket = socket
    this.watches.clear()
    const { world } = this
    const unseen = world.operations.filter(({ logStatus }) => logStatus === 'new').length
    this.#send({
      type: 'hello',
      build: this.build,
      username: world.session?.username,
      role: world.session?.role,
      unseen,
      commands: true,
    })
    socket.onMessage((text) =>
      this.#asked(JSON.parse(String(text)) as ClientMessage, {
        send: (m) => socket.send(JSON.stringify(m)),
      }),
    )
  }

  #asked({ watch, unwatch }: ClientMessage, to: Sender) {
    if (unwatch) this.watches.delete(unwatch.id)
    if (!watch) return
    const error = this.refused[watch.topic]
    if (error) {
      to.send({ type: 'error', id: watch.id, error })
      return
    }
    const bad = watch.q?.indexOf('!') ?? -1
    if (bad >= 0) {
      to.send({
        type: 'error',
        id: watch.id,
        error: {
          code: 'invalid',
          message: 'cannot read the query: ! is no operator',
          position: bad,
        },
      })
      return
    }
    const view = ++this.#views
    this.watches.set(watch.id, { ...watch, view, seq: 1 })
    to.send({ type: 'watching', id: watch.id, view })
    if (watch.topic === 'failed') {
      to.send({ type: 'failed', view, seq: 1, ...this.world.summary.failedServices })
      return
    }
    if (watch.topic === 'summary') {
      to.send({ type: 'summary', view, seq: 1, ...this.world.summary })
      return
    }
    const all = this.#rows(watch.topic)
    const q = watch.q?.toLowerCase() ?? ''
    // A panel asks for its one process.
    const sought = q.startsWith('pid:') ? `"pid":${q.slice(4)},` : q
    const rows = all.filter((row) => JSON.stringify(row).toLowerCase().includes(sought))
    to.send({
      type: 'snapshot',
      view,
      seq: 1,
      time: iso(0),
      total: all.length,
      matched: rows.length,
      rows,
      errors: this.world.errors,
    })
  }

  async #http(route: Route) {
    if (!this.up) return route.abort('connectionrefused')
    const url = new URL(route.request().url())
    const path = url.pathname.replace('/api/v1', '')
    if (!url.pathname.startsWith('/api/')) return this.#file(route, url.pathname)
    if (await this.world.answer?.(route, path)) return
    const answer = this.#answer(path, route.request().method(), url.searchParams)
    const refused = 'error' in answer
    return route.fulfill({
      status: refused ? answer.status : 200,
      json: refused ? { error: answer.error } : answer,
    })
  }

  async #file(route: Route, path: string) {
    const name = extname(path) ? path : '/index.html'
    const body = await readFile(new URL(`../dist${name}`, import.meta.url))
    return route.fulfill({
      body,
      contentType: types[extname(name)] ?? 'text/plain',
      headers: { 'Content-Security-Policy': policy },
    })
  }

  #answer(
    path: string,
    method: string,
    query: URLSearchParams,
  ): (Record<string, unknown> & { status?: never }) | { status: number; error: object } {
    const { world } = this
    const refuse = (status: number, code: string, message: string) => ({
      status,
      error: { code, message },
    })
    if (!world.setUp) return refuse(503, 'unavailable', 'topdeck is not set up yet')
    if (path === '/entry') return { session: world.session }
    if (!world.session) return refuse(401, 'unauthenticated', 'sign in first')
    const unseen = world.operations.filter(({ logStatus }) => logStatus === 'new').length
    switch (path) {
      case '/session':
        return { ...world.session }
      case '/host':
        return { ...world.host }
      case '/summary/history':
        return { interval: 1, points: world.points }
      case '/sessions':
        return {
          sessions: [
            {
              id: 's1',
              username: 'ada',
              role: 'admin',
              createdAt: iso(4000),
              lastUsed: iso(5),
              expiresAt: iso(-1800),
              address: '203.0.113.7',
              userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
              current: true,
            },
            {
              id: 's2',
              username: 'grace',
              role: 'viewer',
              createdAt: iso(9000),
              lastUsed: iso(600),
              expiresAt: iso(-1200),
              address: '198.51.100.2',
              userAgent: 'Mozilla/5.0 (iPhone) Safari/18',
              current: false,
            },
          ],
        }
      case '/second-factor':
        return { active: false, required: false, since: null, recoveryCodes: 0 }
      case '/users':
        return {
          users: [
            {
              name: 'ada',
              role: 'admin',
              createdAt: iso(9e6),
              passwordChanged: iso(9e5),
              lastLogin: iso(4000),
              secondFactor: true,
            },
            {
              name: 'grace',
              role: 'viewer',
              createdAt: iso(8e6),
              passwordChanged: iso(8e6),
              lastLogin: null,
              secondFactor: false,
            },
          ],
        }
      case '/operations': {
        const type = query.get('logType') ?? ''
        const before = Number(query.get('before') || Infinity)
        const status = query.get('retStatus') ?? ''
        const all = world.operations.filter(
          (op) =>
            (type === '' || op.logType === type) && (status === '' || op.retStatus === status),
        )
        const page = all.filter((op) => Number(op.id) < before).slice(0, 50)
        const last = page.at(-1)
        return {
          total: all.length,
          atLeast: false,
          unseen,
          next: last && all.at(-1) !== last ? last.id : '',
          operations: page,
        }
      }
      case '/operations/activity':
        return {
          hours: Array.from({ length: 24 }, (_, i) => ({
            start: new Date(now - (now % 3_600_000) - (23 - i) * 3_600_000)
              .toISOString()
              .replace('.000', ''),
            acts: (i * 5) % 17,
            other: (i * 3) % 7,
            failed: i % 9 === 4 ? 3 : 0,
          })),
        } satisfies ActivityReply
      case '/operations/seen':
        world.operations = world.operations.map((op) => ({
          ...op,
          logStatus: 'seen',
          seenBy: 'ada',
        }))
        return { unseen: 0 }
      default: {
        const id = path.match(/^\/operations\/(\d+)$/)?.[1]
        const found = world.operations.find((op) => op.id === id)
        return found
          ? { operation: found }
          : refuse(404, 'not_found', `${method} ${path}: there is no such thing`)
      }
    }
  }
}
