import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import type { BrowserContext } from 'playwright-core'
import { freePort, Server } from '../e2e/server'

// What Lighthouse says of the pages, as a phone and as a desktop, on the built program and this host: a table on stdout, of
// medians. Each page is asked for by a browser that is signed in and has nothing of the app in its cache.
//
// TIMES: how often each is measured, in turns. PAGES, FORMS: which, by commas.

/** The last one that runs on Node 20. */
const lighthouse = 'lighthouse@12.8.2'
const times = Number(process.env.TIMES ?? 3)
const pages = (
  process.env.PAGES ?? '/,/host,/processes,/sockets,/services,/log,/users,/account'
).split(',')
const forms = (process.env.FORMS ?? 'phone,desktop').split(',')

interface Report {
  categories: Record<string, { score: number | null }>
  audits: Record<string, { numericValue?: number }>
  environment: { benchmarkIndex: number }
  runtimeError?: { code: string }
}

const scores = ['performance', 'accessibility', 'best-practices']
const parts = {
  FCP: 'first-contentful-paint',
  SI: 'speed-index',
  LCP: 'largest-contentful-paint',
  TBT: 'total-blocking-time',
}

const run = promisify(execFile)

async function look(context: BrowserContext, port: number, url: string, form: string) {
  const page = await context.newPage()
  const cdp = await context.newCDPSession(page)
  await cdp.send('Network.clearBrowserCache')
  await page.close()
  const args = [url, `--port=${port}`, '--disable-storage-reset', '--output=json', '--quiet']
  args.push(`--only-categories=${scores.join(',')}`)
  if (form === 'desktop') args.push('--preset=desktop')
  const options = { maxBuffer: 1 << 28, timeout: 120_000 }
  const { stdout } = await run('npx', ['--yes', lighthouse, ...args], options)
  const report = JSON.parse(stdout) as Report
  if (report.runtimeError) throw new Error(`${url}: ${report.runtimeError.code}`)
  const figures: Record<string, number> = {}
  for (const name of scores) figures[name] = Math.round((report.categories[name]?.score ?? 0) * 100)
  for (const [name, audit] of Object.entries(parts))
    figures[name] = Math.round(report.audits[audit]?.numericValue ?? NaN)
  figures['CLS ‰'] = Math.round((report.audits['cumulative-layout-shift']?.numericValue ?? 0) * 1e3)
  figures.benchmark = Math.round(report.environment.benchmarkIndex)
  return figures
}

const median = (of: number[]) => of.toSorted((a, b) => a - b)[of.length >> 1] ?? NaN

const server = await Server.ready('--interval', '1s')
const profile = await mkdtemp(join(tmpdir(), 'topdeck-lighthouse-'))
const port = await freePort()
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', `--remote-debugging-port=${port}`],
})
try {
  await server.signIn(context)
  const told = new Map<string, Record<string, number>[]>()
  for (let round = 0; round < times; round++) {
    for (const form of forms) {
      for (const path of pages) {
        const figures = await look(context, port, server.url + path, form)
        const what = `${form} ${path}`
        told.set(what, [...(told.get(what) ?? []), figures])
        process.stderr.write(`${what} ${JSON.stringify(figures)}\n`)
      }
    }
  }
  const table = [...told].map(([what, of]) => {
    const names = Object.keys(of[0] ?? {})
    const figures = names.map((name) => [name, median(of.map((each) => each[name] ?? NaN))])
    return [what, Object.fromEntries(figures) as Record<string, number>] as const
  })
  // eslint-disable-next-line no-console -- the table is the result
  console.table(Object.fromEntries(table))
} finally {
  await context.close()
  await server.remove()
  await rm(profile, { recursive: true, force: true })
}
