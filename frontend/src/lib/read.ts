import type { ServerMessage, SnapshotMessage } from './wire.gen'

/** What is longer is read in pieces: parsing it at once would stop the page for too long. In characters. */
const atOnce = 400_000
const piece = 200_000

/** Lets the browser do what waits: draw, answer a key. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve))
}

/** Whether a message is so long that it should be read by readLong. */
export function isLong(text: string): boolean {
  return text.length > atOnce && text.startsWith('{"type":"snapshot"')
}

/**
 * Reads a long snapshot a few rows at a time. It is cut between rows, where the text holds the end of one and the first
 * name of the next: nothing within a row looks so, since a quote within a text is escaped, and no row holds another object.
 */
export async function readLong(text: string): Promise<ServerMessage> {
  const opening = '"rows":['
  const begin = text.indexOf(opening) + opening.length
  const name = /^\{"\w+":/.exec(text.slice(begin, begin + 100))?.[0]
  if (!name) return JSON.parse(text) as ServerMessage
  const rows: unknown[] = []
  let from = begin
  for (;;) {
    const cut = text.indexOf(`},${name}`, from + piece)
    if (cut < 0) break
    for (const row of JSON.parse(`[${text.slice(from, cut + 1)}]`) as unknown[]) rows.push(row)
    from = cut + 2
    await breathe()
  }
  const rest = JSON.parse(`{"rows":[${text.slice(from)}`) as SnapshotMessage<unknown>
  for (const row of rest.rows) rows.push(row)
  const head = JSON.parse(`${text.slice(0, begin)}]}`) as SnapshotMessage<unknown>
  return { ...head, ...rest, rows }
}
