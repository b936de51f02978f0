import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext } from 'playwright-core'

export const password = 'correct horse battery'

const binary = process.env.TOPDECK_BIN

/** The built program, on a free port of loopback, with a data folder of its own. */
export class Server {
  #process: ChildProcess | null = null
  #said = ''
  #cookies: Awaited<ReturnType<BrowserContext['cookies']>> | null = null

  private constructor(
    readonly url: string,
    readonly data: string,
    readonly args: readonly string[],
  ) {}

  /** Starts it for the first time: nobody can sign in before set-up. */
  static async start(...args: string[]): Promise<Server> {
    if (!binary)
      throw new Error('TOPDECK_BIN must name the built topdeck: make build leaves bin/topdeck')
    const data = await mkdtemp(join(tmpdir(), 'topdeck-e2e-'))
    const server = new Server(`http://127.0.0.1:${await freePort()}`, data, args)
    await server.run()
    return server
  }

  /** Starts it, and sets it up with the administrator ada. */
  static async ready(...args: string[]): Promise<Server> {
    const server = await Server.start(...args)
    const token = new URLSearchParams(new URL(await server.setupUrl()).hash.slice(1)).get('token')
    await server.post('/setup', { token, username: 'ada', password })
    return server
  }

  /** Starts it again where it was. */
  async run() {
    const listen = new URL(this.url).host
    // With setpriv it ends with this process, however that ends.
    const child = spawn(
      'setpriv',
      [
        ...['--pdeathsig', 'KILL', binary ?? '', 'serve', '--listen', listen, '--data', this.data],
        ...['--interval', '500ms', ...this.args],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    this.#process = child
    child.stderr.on('data', (text: Buffer) => (this.#said += text.toString()))
    for (let tries = 0; tries < 1000; tries++) {
      if (child.exitCode !== null)
        throw new Error(`topdeck ended with ${child.exitCode}: ${this.#said}`)
      const answer = await fetch(`${this.url}/healthz`).catch(() => null)
      if (answer?.ok) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`topdeck does not answer: ${this.#said}`)
  }

  /** Ends it with a signal; resolves to its exit code and how long it took. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<{ code: number | null; seconds: number }> {
    const child = this.#process
    this.#process = null
    if (!child || child.exitCode !== null) return { code: child?.exitCode ?? null, seconds: 0 }
    const since = Date.now()
    child.kill(signal)
    await once(child, 'exit')
    return { code: child.exitCode, seconds: (Date.now() - since) / 1000 }
  }

  /** Ends it, and removes what it kept. */
  async remove() {
    await this.end('SIGKILL')
    await rm(this.data, { recursive: true, force: true })
  }

  /** The one-time URL that it left for whoever started it. */
  async setupUrl(): Promise<string> {
    const file = join(this.data, 'setup-url')
    for (let tries = 0; tries < 100 && !existsSync(file); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return (await readFile(file, 'utf8')).trim()
  }

  /** Signs a browser in without its sign-in page: to a session of its own. */
  async signIn(context: BrowserContext, username = 'ada') {
    const answer = await context.request.post(`${this.url}/api/v1/session`, {
      headers: { Origin: this.url },
      data: { username, password },
    })
    if (!answer.ok()) throw new Error(`cannot sign in: ${answer.status()} ${await answer.text()}`)
  }

  /** Lets a browser into one session that all who ask share: signing in costs time on purpose. */
  async letIn(context: BrowserContext) {
    if (!this.#cookies) {
      await this.signIn(context)
      this.#cookies = await context.cookies()
    }
    await context.addCookies(this.#cookies)
  }

  /** Adds a user by a session of ada's. */
  async addUser(context: BrowserContext, username: string, role: string) {
    const answer = await context.request.post(`${this.url}/api/v1/users`, {
      headers: { Origin: this.url },
      data: { username, password, role },
    })
    if (!answer.ok())
      throw new Error(`cannot add ${username}: ${answer.status()} ${await answer.text()}`)
  }

  async post(path: string, body: object): Promise<Response> {
    return fetch(`${this.url}/api/v1${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Origin: this.url },
      body: JSON.stringify(body),
    })
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}
