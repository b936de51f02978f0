import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Page, Route, WebSocketRoute } from 'playwright-core'
import type {
  ActivityReply,
  ClientMessage,
  EndedRow,
  Host,
  Operation,
  Point,
  Process,
  Service,
  SessionReply,
  Socket,
  Summary,
  Watch,
} from '../src/lib/wire.gen'

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

export interface World {
  session: SessionReply | null
  setUp: boolean
  processes: Process[]
  sockets: Socket[]
  services: Service[]
  operations: Operation[]
  host: Host
  summary: Summary
  points: Point[]
  errors: Record<string, string>
  /** Answers to a path before anything else does. */
  answer?: (route: Route, path: string) => Promise<boolean>
}

const now = Date.parse('2026-03-14T09:26:53.589Z')
const iso = (secondsAgo: number) => new Date(now - secondsAgo * 1000).toISOString()

const programs: [string, string, string, string][] = [
  ['systemd', '/sbin/init', 'root', 'init.scope'],
  ['sshd', 'sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups', 'root', 'ssh.service'],
  ['nginx', 'nginx: worker process', 'www-data', 'nginx.service'],
  ['postgres', 'postgres: 16/main: checkpointer', 'postgres', 'postgresql@16-main.service'],
  ['kworker/u8:2', '', 'root', ''],
  [
    'python3',
    '/usr/bin/python3 /opt/app/manage.py runserver --workers 8 --bind 0.0.0.0:8000',
    'app',
    'app.service',
  ],
  ['<b>bold</b>', '/tmp/<img src=x onerror=alert(1)> \\x1b[31mred', 'mallory', 'user@1001.service'],
]

export function process(i: number): Process {
  const [comm, cmdline, user, unit] = programs[i % programs.length] ?? ['', '', '', '']
  return {
    pid: i === 0 ? 1 : 200 + i * 7,
    startTime: 100 + i * 13,
    startedAt: iso(86400 - i),
    ppid: i === 0 ? 0 : 1,
    user,
    state:
      i % 29 === 3
        ? 'Z'
        : i % 23 === 5
          ? 'D'
          : i % 11 === 2
            ? 'R'
            : comm.startsWith('kworker')
              ? 'I'
              : 'S',
    nice: i % 7 === 4 ? -20 : 0,
    comm,
    cmdline,
    cpuPercent: i % 13 === 2 ? Math.round(((i * 37) % 1500) / 10) : i % 5 === 0 ? 0.7 : 0,
    rss: ((i * 7919) % 900) * 1024 * 1024 * (i % 3 === 0 ? 1 : 0.01),
    vsize: ((i * 104729) % 4000) * 1024 * 1024,
    threads: 1 + (i % 17),
    unit,
    slice:
      unit === ''
        ? ''
        : unit.startsWith('user@')
          ? 'user-1001.slice'
          : unit === 'init.scope'
            ? ''
            : 'system.slice',
  }
}

export function socket(i: number): Socket {
  const six = i % 4 === 3
  const udp = i % 5 === 4
  const listening = i % 3 === 0
  return {
    protocol: `${udp ? 'udp' : 'tcp'}${six ? '6' : ''}`,
    recvQ: i % 9 === 5 ? 4096 : 0,
    sendQ: listening && !udp ? 128 : 0,
    localAddress: listening ? (six ? '::' : '0.0.0.0') : six ? 'fe80::1' : '10.0.0.5',
    localPort: listening ? ([22, 80, 443, 5432, 53][i % 5] ?? 0) : 30000 + i,
    remoteAddress: listening ? (six ? '::' : '0.0.0.0') : six ? 'fe80::2' : '203.0.113.9',
    remotePort: listening ? 0 : 443,
    state: listening ? (udp ? 'UNCONN' : 'LISTEN') : i % 8 === 1 ? 'TIME_WAIT' : 'ESTABLISHED',
    pid: i % 8 === 1 ? 0 : 900 + i,
    program: i % 8 === 1 ? '' : 'nginx',
    user: 'www-data',
    unit: i % 8 === 1 ? '' : 'nginx.service',
    inode: 10_000 + i,
    cookie: `${5000 + i}`,
  }
}

export function service(i: number): Service {
  const active =
    i % 6 === 1 ? 'failed' : i % 4 === 3 ? 'inactive' : i % 17 === 8 ? 'activating' : 'active'
  const up = active === 'active'
  return {
    name: `${['nginx', 'ssh', 'postgresql@16-main', 'cron', 'systemd-journald'][i % 5]}${i > 4 ? `-${i}` : ''}.service`,
    manager: 'systemd',
    description: 'A high performance web server and a reverse proxy server',
    loadState: 'loaded',
    activeState: active,
    subState: up
      ? 'running'
      : active === 'failed'
        ? 'failed'
        : active === 'activating'
          ? 'auto-restart'
          : 'dead',
    unitFileState: i % 3 === 0 ? 'enabled' : 'static',
    result: active === 'failed' ? 'exit-code' : '',
    exitCode: active === 'failed' ? 3 : null,
    signal: '',
    mainPid: up ? 700 + i : 0,
    pids: up ? [700 + i, 900 + i] : [],
    ports: up && i % 5 === 0 ? [80, 443] : [],
    cpuPercent: up ? (i % 10) / 4 : null,
    memory: up ? (i + 1) * 3_000_000 : null,
    since: iso(i * 4000),
    actions: up
      ? ['restart', 'stop', 'reload']
      : ['start', ...(active === 'failed' ? ['reset-failed'] : [])],
  }
}

export function operation(i: number, part: Partial<Operation> = {}): Operation {
  return {
    id: `${i}`,
    logTime: iso(3600 - i * 30),
    logType: i % 4 === 3 ? 'session.denied' : i % 4 === 1 ? 'user.add' : 'session.login',
    target: ['ada', 'grace', 'root'][i % 3] ?? '',
    actor: 'ada',
    source: '203.0.113.7',
    retStatus: i % 4 === 3 ? 'failed' : 'succeeded',
    message: i % 4 === 3 ? '3 refused sign-ins: wrong user name or password' : 'signed in as admin',
    detail: '',
    exitCode: null,
    duration: 0.02,
    logStatus: i % 4 === 3 ? 'new' : 'seen',
    seenBy: i % 4 === 3 ? '' : 'ada',
    ...part,
  }
}

function point(i: number): Point {
  const wave = (period: number, phase = 0) => (Math.sin(i / period + phase) + 1) / 2
  const us = 8 + 30 * wave(40) * wave(7)
  const sy = 3 + 8 * wave(25, 1)
  const wa = 6 * wave(60, 2) ** 4
  return {
    time: iso(900 - i),
    cpu: { us, sy, ni: 0.5, wa, hi: 0, si: 0.6, st: 0.2, id: 100 - us - sy - wa - 1.3 },
    memory: {
      total: 16e9,
      free: 3.1e9 - 1e9 * wave(200),
      used: 6.2e9 + 0.8e9 * wave(150),
      buffCache: 6.7e9,
      available: 9.1e9,
    },
    swap: { total: 2e9, free: 1.9e9, used: 0.1e9 },
    load: [0.4 + wave(50), 0.6 + wave(120) / 2, 0.7],
    pressure: {
      cpu: { some: 4 * wave(30), full: 0 },
      memory: { some: 0.3 * wave(70), full: 0 },
      io: { some: 2 * wave(90), full: 1 },
    },
    readBytesPerSecond: 4e6 * wave(20) ** 6,
    writeBytesPerSecond: 2e7 * wave(33) ** 4,
    receiveBytesPerSecond: 9e5 * wave(45),
    transmitBytesPerSecond: 3e5 * wave(21),
    ...(i % 10 === 0
      ? { cores: [40, 12, 20, 80].map((most, n) => most * wave(40 + n * 9, n)) }
      : {}),
  }
}

/** A host with something of everything. */
export function world(part: Partial<World> = {}): World {
  const points = Array.from({ length: 900 }, (_, i) => point(i + 1))
  const last = points[899] as Point
  return {
    session: { username: 'ada', role: 'admin', expiresAt: iso(-1800), mustEnrol: false },
    setUp: true,
    processes: Array.from({ length: 230 }, (_, i) => process(i)),
    sockets: Array.from({ length: 60 }, (_, i) => socket(i)),
    services: Array.from({ length: 64 }, (_, i) => service(i)),
    operations: Array.from({ length: 40 }, (_, i) => operation(40 - i)),
    points,
    errors: {},
    summary: {
      ...last,
      tasks: { total: 230, running: 2, sleeping: 226, stopped: 0, zombie: 2 },
      cores: [31.2, 8, 14.5, 77.9],
      uptime: 372_605,
      disks: [
        {
          name: 'nvme0n1',
          readBytesPerSecond: 1.2e6,
          writeBytesPerSecond: 8e6,
          readsPerSecond: 40,
          writesPerSecond: 210,
          busyPercent: 12.5,
        },
        {
          name: 'sda',
          readBytesPerSecond: 0,
          writeBytesPerSecond: 0,
          readsPerSecond: 0,
          writesPerSecond: 0,
          busyPercent: 0,
        },
      ],
      interfaces: [
        {
          name: 'lo',
          receiveBytesPerSecond: 2200,
          transmitBytesPerSecond: 2200,
          receivePacketsPerSecond: 9,
          transmitPacketsPerSecond: 9,
          errorsPerSecond: 0,
        },
        {
          name: 'eth0',
          receiveBytesPerSecond: 8.1e5,
          transmitBytesPerSecond: 2e5,
          receivePacketsPerSecond: 900,
          transmitPacketsPerSecond: 700,
          errorsPerSecond: 0.2,
        },
      ],
      fileSystems: [
        {
          device: '/dev/nvme0n1p2',
          mountPoint: '/',
          type: 'ext4',
          total: 250e9,
          free: 90e9,
          available: 80e9,
        },
        {
          device: '/dev/sda1',
          mountPoint: '/srv/backup',
          type: 'xfs',
          total: 2e12,
          free: 0.1e12,
          available: 0.1e12,
        },
      ],
      errors: {},
    },
    host: {
      hostname: 'tern',
      os: 'Debian GNU/Linux 12 (bookworm)',
      kernel: '6.1.0-28-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1',
      architecture: 'x86_64',
      virtualization: '',
      bootTime: iso(372_605),
      uptime: 372_605,
      timezone: 'Europe/Berlin',
      cpuModel: 'AMD EPYC 7543P 32-Core Processor',
      cpuCount: 4,
      memoryTotal: 16e9,
      source: 'proc',
      serviceManagers: ['systemd'],
      scheduledTasks: [
        {
          kind: 'cron',
          schedule: '17 * * * *',
          user: 'root',
          command: 'cd / && run-parts --report /etc/cron.hourly',
          source: '/etc/crontab',
          next: iso(-900),
        },
        {
          kind: 'cron',
          schedule: '@daily',
          user: 'app',
          command: '/opt/app/manage.py clearsessions',
          source: '/var/spool/cron/crontabs/app',
          next: iso(-52_000),
        },
        {
          kind: 'timer',
          schedule: '*-*-* 6:00',
          user: 'root',
          command: 'apt-daily.service',
          source: 'apt-daily.timer',
          next: null,
        },
      ],
      errors: { virtualization: 'cannot read /sys/class/dmi/id/product_name: permission denied' },
    },
    ...part,
  }
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
  summary(summary: Summary) {
    for (const watch of this.watches.values())
      if (watch.topic === 'summary')
        this.#send({ type: 'summary', view: watch.view, seq: ++watch.seq, ...summary })
  }

  tell(operation: Operation, unseen: number) {
    this.#send({ type: 'operation', operation, unseen })
  }

  /** Takes the server away. */
  async down() {
    this.up = false
    await this.#socket?.close({ code: 1001 })
  }

  async hangUp() {
    await this.#socket?.close({ code: 1011 })
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
    if (watch.topic === 'summary') {
      to.send({ type: 'summary', view, seq: 1, ...this.world.summary })
      return
    }
    const all = this.#rows(watch.topic)
    const q = watch.q?.toLowerCase() ?? ''
    const rows = q === '' ? all : all.filter((row) => JSON.stringify(row).toLowerCase().includes(q))
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
