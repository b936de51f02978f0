import type { CDPSession } from 'playwright-core'

/** What a page holds on to: megabytes of its heap; nodes, in the page or not; listeners. */
export interface Held {
  heap: number
  nodes: number
  listeners: number
}

/** Counts when what nobody needs any more has been thrown away. */
export async function held(cdp: CDPSession): Promise<Held> {
  await cdp.send('HeapProfiler.collectGarbage')
  const { usedSize } = await cdp.send('Runtime.getHeapUsage')
  const { nodes, jsEventListeners } = await cdp.send('Memory.getDOMCounters')
  return {
    heap: Math.round((usedSize / 1024 / 1024) * 10) / 10,
    nodes,
    listeners: jsEventListeners,
  }
}
