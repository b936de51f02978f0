import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Server as NetServer, Socket } from 'node:net'
import { freePort } from './server'

/**
 * How the network between a browser and a server is: it passes all; it refuses what is new and breaks what is there; it
 * takes what is new and breaks it at once; or it swallows all that is sent, and nobody is told.
 */
export type Weather = 'fair' | 'refusing' | 'breaking' | 'swallowing'

/** A network between a browser and a server that comes and goes. */
export class Proxy {
  weather: Weather = 'fair'
  /** When each connection was asked for, in milliseconds of Date.now(). */
  readonly tries: number[] = []
  #listener: NetServer | null = null
  #ends = new Set<Socket>()

  private constructor(
    readonly port: number,
    readonly to: number,
  ) {}

  static async start(url: string): Promise<Proxy> {
    const proxy = new Proxy(await freePort(), Number(new URL(url).port))
    await proxy.turn('fair')
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async turn(weather: Weather) {
    this.weather = weather
    // What was swallowed is lost for good: its ends find out by themselves.
    if (weather === 'refusing' || weather === 'breaking') this.#break()
    if (weather === 'refusing') {
      this.#listener?.close()
      this.#listener = null
    } else if (!this.#listener) {
      this.#listener = createServer((socket) => this.#took(socket)).listen(this.port, '127.0.0.1')
      await once(this.#listener, 'listening')
    }
  }

  #break() {
    for (const socket of this.#ends) socket.destroy()
    this.#ends.clear()
  }

  #took(near: Socket) {
    this.tries.push(Date.now())
    near.on('error', () => near.destroy())
    if (this.weather === 'breaking') {
      near.destroy()
      return
    }
    this.#ends.add(near)
    if (this.weather === 'swallowing') {
      near.resume()
      return
    }
    const far = connect(this.to, '127.0.0.1')
    this.#ends.add(far)
    far.on('error', () => far.destroy())
    const join = (from: Socket, to: Socket) => {
      from.on('data', (bytes: Buffer) => {
        if (this.weather === 'fair') to.write(bytes)
      })
      from.on('close', () => {
        this.#ends.delete(from)
        if (this.weather === 'fair') to.destroy()
      })
    }
    join(near, far)
    join(far, near)
  }
}
