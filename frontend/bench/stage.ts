import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { extname } from 'node:path'
import { process as row } from '../e2e/world'
import type { ClientMessage, Process } from '../src/lib/wire.gen'

// A host with very many processes, played on real HTTP and a real WebSocket: what the page costs is then the page's alone.

const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

/** One frame of text from the server, RFC 6455 section 5.2. */
function frame(text: string): Buffer {
  const body = Buffer.from(text)
  const head = Buffer.alloc(body.length < 126 ? 2 : body.length < 65_536 ? 4 : 10)
  head[0] = 0x81
  if (head.length === 2) head[1] = body.length
  else if (head.length === 4) {
    head[1] = 126
    head.writeUInt16BE(body.length, 2)
  } else {
    head[1] = 127
    head.writeBigUInt64BE(BigInt(body.length), 2)
  }
  return Buffer.concat([head, body])
}

/** The texts of the frames in what came from the client: short ones, each whole. */
function texts(data: Buffer): string[] {
  const found: string[] = []
  for (let at = 0; at + 6 <= data.length;) {
    const opcode = (data[at] ?? 0) & 15
    let length = (data[at + 1] ?? 0) & 127
    at += 2
    if (length === 126) {
      length = data.readUInt16BE(at)
      at += 2
    }
    const mask = data.subarray(at, at + 4)
    const body = Buffer.from(data.subarray(at + 4, at + 4 + length))
    for (let i = 0; i < body.length; i++) body[i] = (body[i] ?? 0) ^ (mask[i % 4] ?? 0)
    if (opcode === 1) found.push(body.toString())
    at += 4 + length
  }
  return found
}

export class BusyHost {
  readonly processes: Process[]
  url = ''
  #server = createServer((request, response) => void this.#answer(request, response))
  #socket: Duplex | null = null
  #views = new Map<number, { q: string; topic: string; seq: number; id: string }>()
  #lastView = 0
  #timer: ReturnType<typeof setInterval> | undefined
  #ticks = 0

  constructor(
    count: number,
    readonly changing: number,
  ) {
    this.processes = Array.from({ length: count }, (_, i) => row(i))
  }

  async start() {
    this.#server.on('upgrade', (request, socket) => this.#upgrade(request, socket))
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    this.#timer = setInterval(() => this.#tick(), 1000)
  }

  stop() {
    clearInterval(this.#timer)
    this.#socket?.destroy()
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #answer(request: IncomingMessage, response: ServerResponse) {
    const { pathname } = new URL(request.url ?? '/', this.url)
    if (pathname.startsWith('/api/')) {
      response.setHeader('Content-Type', 'application/json')
      const answer = this.#api(pathname.replace('/api/v1', ''))
      response.statusCode = answer ? 200 : 404
      response.end(JSON.stringify(answer ?? { error: { code: 'not_found', message: pathname } }))
      return
    }
    const name = extname(pathname) ? pathname : '/index.html'
    response.setHeader('Content-Type', types[extname(name)] ?? 'text/plain')
    response.end(await readFile(`dist${name}`))
  }

  #api(path: string): object | null {
    const later = new Date(Date.now() + 3.6e6).toISOString()
    const session = { username: 'ada', role: 'admin', expiresAt: later, mustEnrol: false }
    if (path === '/session') return session
    if (path === '/entry') return { session }
    if (path === '/operations') return { total: 0, unseen: 0, next: '', operations: [] }
    return null
  }

  #upgrade(request: IncomingMessage, socket: Duplex) {
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Protocol: topdeck.v1\r\nSec-WebSocket-Accept: ${createHash('sha1').update(key).digest('base64')}\r\n\r\n`,
    )
    this.#socket = socket
    this.#views.clear()
    socket.on('error', () => socket.destroy())
    socket.on('data', (data: Buffer) => {
      for (const text of texts(data)) this.#asked(JSON.parse(text) as ClientMessage)
    })
    this.#send({
      type: 'hello',
      build: 'bench',
      username: 'ada',
      role: 'admin',
      unseen: 0,
      commands: true,
    })
  }

  #send(message: object) {
    this.#socket?.write(frame(JSON.stringify(message)))
  }

  #asked({ watch, unwatch }: ClientMessage) {
    if (unwatch) {
      for (const [view, { id }] of this.#views) if (id === unwatch.id) this.#views.delete(view)
    }
    if (!watch) return
    const view = ++this.#lastView
    const q = watch.q ?? ''
    this.#views.set(view, { q, topic: watch.topic, seq: 1, id: watch.id })
    this.#send({ type: 'watching', id: watch.id, view })
    const rows = watch.topic === 'processes' ? this.processes.filter((p) => matches(p, q)) : []
    this.#send({ type: 'snapshot', view, seq: 1, ...this.#counts(rows.length), rows })
  }

  #counts(matched: number) {
    const total = this.processes.length
    return { time: new Date().toISOString(), total, matched, errors: {} }
  }

  /** Other processes each second have used some processor time; one of a hundred has ended, another has begun. */
  #tick() {
    this.#ticks++
    const changed: Process[] = []
    const ended: Process[] = []
    for (let i = 0; i < this.changing; i++) {
      const at = (this.#ticks * 7919 + i * 104_729) % this.processes.length
      const old = this.processes[at] as Process
      const load = Math.round(((this.#ticks * 31 + i * 17) % 1000) / 3) / 10
      const next = { ...old, cpuPercent: load, rss: old.rss + 4096 }
      if (i % 100 === 99) {
        ended.push(old)
        next.startTime += 1_000_000
      }
      this.processes[at] = next
      changed.push(next)
    }
    for (const [view, watched] of this.#views) {
      if (watched.topic !== 'processes') continue
      const meets = (p: Process) => matches(p, watched.q)
      this.#send({
        type: 'delta',
        view,
        seq: ++watched.seq,
        ...this.#counts(this.processes.length),
        upsert: changed.filter(meets),
        remove: ended.filter(meets).map(key),
        ended: ended.filter(meets).map((p) => ({ key: key(p), exitCode: 0, signal: null })),
      })
    }
  }
}

const key = (p: Process) => `${p.pid}:${p.startTime}`

const matches = (p: Process, q: string) =>
  q === '' || `${p.pid} ${p.comm} ${p.cmdline} ${p.user} ${p.unit}`.includes(q)
