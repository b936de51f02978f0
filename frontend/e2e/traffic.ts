import type { Page } from 'playwright-core'

/** Something that came from the server: an answer or a part of one, or a message of the live connection. */
export interface Came {
  path: string
  bytes: number
}

/** Fills by itself with all that comes, as large as it is on the wire; of the live connection the texts, which are compressed there. */
export async function traffic(page: Page): Promise<Came[]> {
  const came: Came[] = []
  const paths = new Map<string, string>()
  const cdp = await page.context().newCDPSession(page)
  cdp.on('Network.requestWillBeSent', ({ requestId, request }) => {
    const { pathname, search } = new URL(request.url)
    paths.set(requestId, pathname + search)
  })
  cdp.on('Network.webSocketFrameReceived', ({ response }) =>
    came.push({ path: 'live', bytes: response.payloadData.length }),
  )
  cdp.on('Network.dataReceived', ({ requestId, encodedDataLength }) =>
    came.push({ path: paths.get(requestId) ?? '', bytes: encodedDataLength }),
  )
  await cdp.send('Network.enable')
  return came
}

export const bytesOf = (came: readonly Came[]) =>
  came.reduce((total, { bytes }) => total + bytes, 0)
