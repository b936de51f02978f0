import { chromium } from 'playwright-core'
import type { CDPSession, Page } from 'playwright-core'
import { held } from '../e2e/held'
import { BusyHost } from './stage'

// What the page of processes costs in Chromium, with ten thousand of which five hundred change each second: one line of
// JSON on stdout. Times are of the renderer's main thread, in milliseconds; of a task once the thread's own time and once
// as the clock saw it, which on a busy machine is longer.

interface TraceEvent {
  name: string
  ph: string
  pid: number
  tid: number
  ts: number
  dur?: number
  tdur?: number
  args?: { name?: string }
}

const minutes = process.env.TOPDECK_SOAK ? 10 : 1
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const round = (n: number) => Math.round(n * 10) / 10

function quantile(sorted: readonly number[], q: number): number {
  return round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0)
}

/** Everything that the main thread did for so long, task by task. */
async function trace(cdp: CDPSession, ms: number): Promise<TraceEvent[]> {
  const events: TraceEvent[] = []
  const collect = ({ value }: { value: unknown[] }) => void events.push(...(value as TraceEvent[]))
  cdp.on('Tracing.dataCollected', collect)
  await cdp.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: {
      recordMode: 'recordAsMuchAsPossible',
      includedCategories: [
        'devtools.timeline',
        'disabled-by-default-devtools.timeline',
        'v8',
        '__metadata',
      ],
      excludedCategories: ['*'],
    },
  })
  await wait(ms)
  const complete = new Promise((resolve) => cdp.once('Tracing.tracingComplete', resolve))
  await cdp.send('Tracing.end')
  await complete
  cdp.off('Tracing.dataCollected', collect)
  return events
}

function tasksOf(events: readonly TraceEvent[]): TraceEvent[] {
  const mains = new Set(
    events
      .filter((e) => e.name === 'thread_name' && e.args?.name === 'CrRendererMain')
      .map((e) => `${e.pid} ${e.tid}`),
  )
  const tasks = events.filter((e) => e.name === 'RunTask' && mains.has(`${e.pid} ${e.tid}`))
  // Of several renderers the page is in the one that does the work.
  const work = new Map<number, number>()
  for (const { pid, tdur = 0 } of tasks) work.set(pid, (work.get(pid) ?? 0) + tdur)
  const [busiest] = [...work].sort(([, a], [, b]) => b - a)[0] ?? [0]
  return tasks.filter(({ pid }) => pid === busiest)
}

/** What counts as scripting and layout; of events within each other the outermost counts. */
const work =
  /^(FunctionCall|EvaluateScript|RunMicrotasks|v8\.|TimerFire|FireAnimationFrame|MinorGC|MajorGC|V8\.GC|Layout|UpdateLayoutTree|HitTest)/

function outermost(events: readonly TraceEvent[], { pid, tid }: TraceEvent): TraceEvent[] {
  let end = 0
  return events
    .filter((e) => e.ph === 'X' && e.pid === pid && e.tid === tid && work.test(e.name))
    .toSorted((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0))
    .filter(({ ts, dur = 0 }) => {
      if (ts + dur <= end) return false
      end = ts + dur
      return true
    })
}

/** How long until what follows from an act of the user is on the screen. */
function answered(page: Page, act: 'sort' | 'search'): Promise<number> {
  return page.evaluate(async (act) => {
    const painted = () =>
      new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)))
    const until = async (there: () => boolean) => {
      while (!there()) await painted()
      await painted()
    }
    const first = () => document.querySelector('tbody tr')?.textContent
    const sorted = document.querySelector('th[aria-sort]')?.textContent ?? ''
    const wanted = sorted.includes('Memory') ? 'CPU %' : 'Memory'
    const heading = [...document.querySelectorAll<HTMLElement>('th button')].find(
      (button) => button.textContent?.trim() === wanted,
    )
    const field = document.querySelector<HTMLInputElement>('input[type=search]')
    const before = first()
    const since = performance.now()
    if (act === 'sort') {
      heading?.click()
      await until(() => heading?.closest('th')?.ariaSort !== null && first() !== before)
    } else if (field) {
      const q = field.value === '' ? 'manage.py' : ''
      const counts = () => document.querySelector('[data-counts]')?.textContent ?? ''
      const old = counts()
      field.value = q
      field.dispatchEvent(new Event('input', { bubbles: true }))
      await until(() => counts() !== old)
    }
    return performance.now() - since
  }, act)
}

const host = new BusyHost(Number(process.env.ROWS ?? 10_000), Number(process.env.CHANGES ?? 500))
await host.start()
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})
try {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } })
  const cdp = await page.context().newCDPSession(page)
  const whole = await browser.newBrowserCDPSession()
  await page.goto(`${host.url}/processes${process.env.QUERY ?? ''}`)
  await page.locator('tbody tr').nth(20).waitFor()
  await wait(5_000)
  const before = await held(cdp)

  const seconds = Number(process.env.SECONDS_LONG ?? minutes * 60)
  const events = await trace(whole, seconds * 1000)
  const tasks = tasksOf(events)
  const after = await held(cdp)
  const begin = Math.min(...tasks.map(({ ts }) => ts))
  const ticks = new Array<number>(seconds).fill(0)
  for (const { ts, tdur = 0 } of outermost(events, tasks[0] as TraceEvent)) {
    const second = Math.floor((ts - begin) / 1e6)
    if (second < seconds) ticks[second] = (ticks[second] ?? 0) + tdur / 1000
  }
  const sorted = ticks.toSorted((a, b) => a - b)
  const longest = (of: (task: TraceEvent) => number) =>
    tasks.reduce((most, task) => Math.max(most, of(task)), 0) / 1000

  const sorts: number[] = []
  const searches: number[] = []
  for (let i = 0; i < 6; i++) {
    sorts.push(await answered(page, 'sort'))
    await wait(700)
    searches.push(await answered(page, 'search'))
    await wait(700)
  }
  const median = (list: number[]) =>
    quantile(
      list.toSorted((a, b) => a - b),
      0.5,
    )
  const figures = {
    rows: host.processes.length,
    changing: host.changing,
    seconds,
    tickMedian: quantile(sorted, 0.5),
    tick95: quantile(sorted, 0.95),
    longestTask: round(longest(({ tdur = 0 }) => tdur)),
    longestTaskByClock: round(longest(({ dur = 0 }) => dur)),
    heapBefore: before.heap,
    heapAfter: after.heap,
    nodesBefore: before.nodes,
    nodesAfter: after.nodes,
    listenersBefore: before.listeners,
    listenersAfter: after.listeners,
    sort: median(sorts),
    search: median(searches),
  }
  process.stdout.write(JSON.stringify(figures) + '\n')
  // What noise cannot cause: a page that is open for long must not grow.
  if (after.heap > 80 || after.heap > before.heap + 8)
    throw new Error(`the heap grew from ${before.heap} to ${after.heap} MB in ${seconds} s`)
  // Which rows are at their end, and so struck out, is another matter each second.
  if (after.nodes > before.nodes * 1.2 || after.listeners > before.listeners + 10)
    throw new Error(
      `nodes and listeners grew from ${JSON.stringify(before)} to ${JSON.stringify(after)}`,
    )
} finally {
  await browser.close()
  host.stop()
}
