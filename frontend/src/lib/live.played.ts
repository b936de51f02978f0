import { vi } from 'vitest'
import { Live } from './live.svelte'
import type { LiveEvents, Probe, Watcher } from './live.svelte'
import type { ClientMessage } from './wire.gen'

/** The server's end of a WebSocket. */
class FakeSocket {
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: ((event: { code: number; reason?: string }) => void) | null = null
  sent: ClientMessage[] = []
  readyState: number = WebSocket.OPEN
  closed = false

  send(text: string) {
    this.sent.push(JSON.parse(text) as ClientMessage)
  }

  close() {
    this.closed = true
  }

  say(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) })
  }

  hello(build = 'b1') {
    this.say({ type: 'hello', build, username: 'ada', role: 'admin', unseen: 0 })
  }

  /** The id of the newest watch. */
  get asked(): string {
    return this.sent.findLast(({ watch }) => watch)?.watch?.id ?? ''
  }
}

export let sockets: FakeSocket[]
export let live: Live
export let events: LiveEvents
let asked: () => Promise<Probe>
let hidden: boolean

/** Before each test: a page that is seen, not connected yet, whose server answers. */
export function play() {
  vi.useFakeTimers()
  sockets = []
  probed('answers')
  hidden = false
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden)
  events = { hello: vi.fn(), operation: vi.fn(), unseen: vi.fn(), ended: vi.fn() }
  live = new Live(
    {
      open: () => {
        sockets.push(new FakeSocket())
        return socket() as unknown as WebSocket
      },
      probe: () => asked(),
      random: () => 1,
    },
    events,
  )
}

/** After each test. */
export function end() {
  live.stop()
  vi.useRealTimers()
}

export const socket = () => sockets.at(-1) as FakeSocket

export function watcher() {
  return { snapshot: vi.fn(), delta: vi.fn(), summary: vi.fn(), refused: vi.fn() } satisfies Watcher
}

/** A watch that the server answered with a view and a snapshot. */
export function watched(view = 7, seq = 10) {
  const heard = watcher()
  const watching = live.watch({ topic: 'processes' }, heard)
  answer(view, seq)
  return { heard, watching }
}

export function answer(view: number, seq: number) {
  socket().say({ type: 'watching', id: socket().asked, view })
  socket().say({ type: 'snapshot', view, seq, rows: [] })
}

/** What is found out when the server is asked over HTTP. */
export function probed(probe: Probe) {
  asked = () => Promise.resolve(probe)
}

/** The same, found out no sooner than the test tells it. */
export function probedLater(): (probe: Probe) => void {
  let tell = (_: Probe) => {}
  asked = () => new Promise((resolve) => (tell = resolve))
  return (probe) => tell(probe)
}

export function connect() {
  live.start()
  socket().hello()
}

export function hide(value: boolean) {
  hidden = value
  document.dispatchEvent(new Event('visibilitychange'))
}
