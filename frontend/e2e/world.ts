import type { Route } from 'playwright-core'
import type {
  Host,
  Operation,
  Point,
  Process,
  Service,
  SessionReply,
  Socket,
  SummaryReply,
} from '../src/lib/wire.gen'

// What a host could have: of everything something, the hostile among it.

export interface World {
  session: SessionReply | null
  setUp: boolean
  processes: Process[]
  sockets: Socket[]
  services: Service[]
  operations: Operation[]
  host: Host
  summary: SummaryReply
  points: Point[]
  errors: Record<string, string>
  /** Answers to a path before anything else does. */
  answer?: (route: Route, path: string) => Promise<boolean>
}

export const now = Date.parse('2026-03-14T09:26:53.589Z')
export const iso = (secondsAgo: number) => new Date(now - secondsAgo * 1000).toISOString()

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

/** Few processes of which each has its own figures: the first has the highest load. */
export const workers = Array.from({ length: 40 }, (_, i) => ({
  ...process(i),
  comm: `worker-${i}`,
  cpuPercent: 80 - i,
}))

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
      failedServices: { total: 0, names: [] },
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
