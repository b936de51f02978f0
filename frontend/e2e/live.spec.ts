import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { afterEach, describe, expect, it } from 'vitest'
import { phone } from './browser'
import { held } from './held'
import { Server } from './server'
import { usePages, useServer, watch } from './use'

const server = await useServer(Server.ready())
const pages = await usePages()
const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

const at = (path: string) => watch(pages, server, path)

/** A process that can be told from all others by its arguments. */
function sleeper(seconds: number): ChildProcess {
  const child = spawn('sleep', [`${seconds}`], { stdio: 'ignore' })
  children.push(child)
  return child
}

const table = (page: Page, name: string) => page.getByRole('table', { name })

/** The texts of one column, from the top. */
async function column(page: Page, name: string, title: string): Promise<string[]> {
  return table(page, name).evaluate((element, title) => {
    const headings = [...element.querySelectorAll('th')]
    const at = headings.findIndex((th) => th.innerText.trim() === title)
    return [...element.querySelectorAll(`tbody td:nth-child(${at + 1})`)].map((td) =>
      (td as HTMLElement).innerText.trim(),
    )
  }, title)
}

describe('the overview', () => {
  it('shows the four lines of top, and its figures change by themselves', async () => {
    const page = await at('/')
    for (const name of ['Tasks', 'CPU %', 'Memory', 'Swap']) {
      await page.getByRole('region', { name, exact: true }).waitFor()
    }
    const tasks = page.getByRole('region', { name: 'Tasks' })
    await expect
      .poll(() => tasks.innerText())
      .toMatch(/\d+\s*total\s*\d+\s*running\s*\d+\s*sleeping\s*\d+\s*stopped\s*\d+\s*zombie/)
    const time = page.locator('main time').first()
    const before = await time.getAttribute('datetime')
    await expect.poll(() => time.getAttribute('datetime'), { timeout: 10_000 }).not.toBe(before)
    const cpu = page.getByRole('region', { name: 'CPU %' })
    const figures = await cpu.innerText()
    await expect.poll(() => cpu.innerText(), { timeout: 15_000 }).not.toBe(figures)
  })

  it('names the processes that have most of the machine, each with a way to it', async () => {
    const worker = spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' })
    children.push(worker)
    const page = await at('/')
    const busy = table(page, 'Processes by CPU').getByRole('row', { name: /while :; do/ })
    await busy.waitFor()
    expect(await table(page, 'Processes by memory').getByRole('row').count()).toBe(6)
    await busy.getByRole('link', { name: 'sh' }).click()
    await page.getByRole('complementary').getByText(`${worker.pid}`).first().waitFor()
    await page.goBack()
    await page.getByRole('link', { name: 'Processes by memory' }).click()
    const heading = page.getByRole('columnheader', { name: 'Memory' })
    await expect.poll(() => heading.getAttribute('aria-sort')).toBe('descending')
  })

  it('draws graphs of the last minutes', async () => {
    const page = await at('/')
    for (const name of ['CPU', 'Memory', 'Load', 'Network', 'Disks']) {
      await page.getByRole('heading', { name, exact: true }).first().waitFor()
    }
    const canvases = page.locator('canvas')
    await expect.poll(() => canvases.count(), { timeout: 15_000 }).toBeGreaterThanOrEqual(5)
    // Something other than one colour is on the canvas.
    const colours = await canvases.first().evaluate((canvas: HTMLCanvasElement) => {
      const data =
        canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? []
      const seen = new Set<string>()
      for (let i = 0; i < data.length; i += 4)
        seen.add(`${data[i]},${data[i + 1]},${data[i + 2]},${data[i + 3]}`)
      return seen.size
    })
    expect(colours).toBeGreaterThan(3)
    // A reading goes on in the graphs that are there: what one points at in them stays.
    const drawn = await canvases.elementHandles()
    const time = page.locator('main time').first()
    for (let readings = 0; readings < 3; readings++) {
      const before = await time.getAttribute('datetime')
      await expect.poll(() => time.getAttribute('datetime'), { timeout: 10_000 }).not.toBe(before)
    }
    for (const canvas of drawn)
      expect(await canvas.evaluate((element) => element.isConnected)).toBe(true)
  })

  it('tells its figures without what draws the graphs', async () => {
    const page = await pages.open()
    await server.letIn(page.context())
    let refused = 0
    await page.route(/\/assets\/.*plot/i, (route) => {
      refused++
      return route.abort()
    })
    await page.goto(server.url)
    await page.getByRole('heading', { name: 'Interfaces', exact: true }).waitFor()
    await expect.poll(() => refused).toBeGreaterThan(0)
    expect(await page.locator('canvas').count()).toBe(0)
  })

  it('holds on to nothing of the readings that went by but their points', async () => {
    const page = await at('/')
    await page.getByRole('heading', { name: 'Interfaces', exact: true }).waitFor()
    const cdp = await page.context().newCDPSession(page)
    const readings = (n: number) =>
      page.evaluate(async (n) => {
        const time = () => document.querySelector('main time')?.getAttribute('datetime')
        for (let before = time(); n > 0; n--, before = time())
          while (time() === before) await new Promise((resolve) => setTimeout(resolve, 50))
      }, n)
    await readings(6)
    const before = await held(cdp)
    await readings(12)
    const after = await held(cdp)
    expect(after.listeners).toBeLessThanOrEqual(before.listeners)
    // A file system or an interface may come.
    expect(after.nodes).toBeLessThan(before.nodes + 100)
  })
})

describe('the processes', () => {
  it('come and go by themselves', async () => {
    const page = await at('/processes?q=3141592')
    await page.getByText('Nothing matches the search.').first().waitFor()
    const child = sleeper(3141592)
    await page.getByRole('cell', { name: 'sleep 3141592' }).waitFor()
    expect(await column(page, 'Processes', 'PID')).toEqual([`${child.pid}`])
    child.kill('SIGKILL')
    await page.getByText('Nothing matches the search.').first().waitFor()
  })

  it('are searched on the server, and the query is kept over a reload', async () => {
    sleeper(2718281)
    sleeper(2718282)
    const page = await at('/processes')
    await table(page, 'Processes').waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('2718281')
    await page.getByText(/^1 of \d+$/).waitFor()
    expect(await column(page, 'Processes', 'Command line')).toEqual(['sleep 2718281'])
    expect(new URL(page.url()).searchParams.get('q')).toBe('2718281')
    await page.reload()
    await page.getByText(/^1 of \d+$/).waitFor()
    await page.getByRole('searchbox').fill('cmdline:"sleep 271828"')
    await page.getByText(/^2 of \d+$/).waitFor()
  })

  it('are sorted by a click on a heading, and the order is kept over a reload', async () => {
    const page = await at('/processes')
    const heading = page.getByRole('columnheader', { name: 'PID' })
    await heading.getByRole('button').click()
    await expect.poll(() => heading.getAttribute('aria-sort')).toBe('ascending')
    const ascending = (await column(page, 'Processes', 'PID')).map(Number)
    expect(ascending).toEqual([...ascending].sort((a, b) => a - b))
    await heading.getByRole('button').click()
    await expect.poll(() => heading.getAttribute('aria-sort')).toBe('descending')
    await page.reload()
    await expect.poll(() => heading.getAttribute('aria-sort')).toBe('descending')
    await expect
      .poll(async () => {
        const pids = (await column(page, 'Processes', 'PID')).map(Number)
        return pids.length > 3 && pids.every((pid, i) => i === 0 || pid < (pids[i - 1] ?? 0))
      })
      .toBe(true)
  })

  it('keep their rows when a query cannot be read, and show the trouble at its place', async () => {
    const page = await at('/processes')
    await table(page, 'Processes').waitFor()
    const field = page.getByRole('searchbox')
    await field.fill('sleep nosuchfield:1')
    await page.getByText('there is no field "nosuchfield" here').waitFor()
    expect(await page.locator('mark').innerText()).toBe('nosuchfield:1')
    expect(await field.getAttribute('aria-invalid')).toBe('true')
    expect(await table(page, 'Processes').isVisible()).toBe(true)
    await page.getByText('These rows are from before it and do not change').waitFor()
    await field.fill('')
    await expect.poll(() => field.getAttribute('aria-invalid')).toBe('false')
    await page.getByText('These rows are from before it').waitFor({ state: 'detached' })
  })

  it('tell at first sight when the query of the address cannot be read, and how to go on', async () => {
    const page = await at('/processes?q=port:1')
    await page.getByText('there is no field "port" here').waitFor()
    expect(await page.locator('mark').innerText()).toBe('port:1')
    await page.getByText('The search cannot be read.').waitFor()
    await page.getByRole('button', { name: 'Clear the search' }).click()
    await table(page, 'Processes').waitFor()
  })
})

describe('the sockets', () => {
  it('show who listens on a port', async () => {
    const listener = createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const { port } = listener.address() as AddressInfo
    const page = await at(`/sockets?q=port:${port}`)
    await page.getByRole('rowheader', { name: `127.0.0.1:${port}` }).waitFor()
    const [state] = await column(page, 'TCP/UDP services', 'State')
    expect(state).toBe('LISTEN')
    expect((await column(page, 'TCP/UDP services', 'PID/Program'))[0]).toMatch(
      new RegExp(`^${process.pid}/`),
    )
    listener.close()
    await page.getByText('Nothing matches the search.').first().waitFor()
  })
})

describe('the host', () => {
  it('shows its facts, unknown ones with their reason, and its scheduled tasks', async () => {
    const page = await at('/host')
    for (const fact of [
      'Host name',
      'Operating system',
      'Kernel',
      'Processor',
      'Time zone',
      'Service managers',
    ]) {
      await page
        .getByRole('term')
        .filter({ hasText: new RegExp(`^${fact}$`) })
        .waitFor()
    }
    await page.getByRole('heading', { name: /^Scheduled tasks/ }).waitFor()
  })
})

describe('the services', () => {
  it('are listed, or it is said that there are none', async () => {
    const page = await at('/services')
    await table(page, 'Services')
      .or(page.getByText('no services to show'))
      .or(page.getByText('No services.'))
      .first()
      .waitFor()
  })
})

describe('a hidden page', () => {
  it('stops its watches, and goes on when it is shown', async () => {
    const page = await pages.open()
    const sent: string[] = []
    page.on('websocket', (socket) =>
      socket.on('framesent', ({ payload }) => sent.push(String(payload))),
    )
    await server.letIn(page.context())
    await page.goto(`${server.url}/processes`)
    await table(page, 'Processes').waitFor()
    const hide = (hidden: boolean) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
      }, hidden)
    await hide(true)
    await expect.poll(() => sent.at(-1)).toContain('"unwatch"')
    await hide(false)
    await expect.poll(() => sent.at(-1)).toContain('"watch"')
    const child = sleeper(1618033)
    await page.getByRole('searchbox').fill('1618033')
    await page.getByRole('cell', { name: `${child.pid}`, exact: true }).waitFor()
  })
})

describe('a server that goes away', () => {
  it('leaves the last data, says so with their age, and the page recovers without a reload', async () => {
    const child = sleeper(5772156)
    const page = await at('/processes?q=5772156')
    await page.getByRole('cell', { name: 'sleep 5772156' }).waitFor()
    await page.evaluate(() => ((window as unknown as { mark: number }).mark = 1))

    await server.end('SIGKILL')
    await page.getByText('No connection').waitFor()
    await page.getByText(/What you see is \d+s old/).waitFor()
    await page.getByText('The server does not answer.').first().waitFor()
    expect(await page.getByRole('cell', { name: 'sleep 5772156' }).isVisible()).toBe(true)

    await server.run()
    await page.getByText('Live', { exact: true }).waitFor({ timeout: 30_000 })
    child.kill('SIGKILL')
    await page.getByText('Nothing matches the search.').first().waitFor()
    expect(await page.evaluate(() => (window as unknown as { mark: number }).mark)).toBe(1)
  })

  it('is tried at once when one asks', async () => {
    const page = await at('/processes')
    await server.end('SIGKILL')
    await page.getByRole('button', { name: 'Try now' }).waitFor()
    await server.run()
    await expect
      .poll(
        async () => {
          const button = page.getByRole('button', { name: 'Try now' })
          if (await button.isVisible()) await button.click({ timeout: 500 }).catch(() => undefined)
          return page.getByText('Live', { exact: true }).isVisible()
        },
        { timeout: 15_000 },
      )
      .toBe(true)
  })

  it('by SIGTERM says that it stops, and ends in time', async () => {
    const page = await at('/')
    const { code, seconds } = await server.end('SIGTERM')
    expect(code).toBe(0)
    expect(seconds).toBeLessThan(5)
    await page.getByText('The server was stopped, or restarts.').first().waitFor()
    await server.run()
    await page.getByText('Live', { exact: true }).waitFor({ timeout: 30_000 })
  })
})

it('on a phone, nothing of the log moves while its records come and are seen', async () => {
  const page = await pages.open(phone)
  await server.letIn(page.context())
  await server.post('/session', { username: 'root', password: 'guess guess guess' })
  await page.addInitScript(() => {
    const moved: string[] = []
    Object.assign(window, { moved })
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number })[])
        if (entry.value > 0.005) moved.push(entry.value.toFixed(3))
    }).observe({ type: 'layout-shift' })
  })
  await page.goto(`${server.url}/log`)
  await page.getByText('0 not seen yet').waitFor({ timeout: 10_000 })
  await page.waitForTimeout(500)
  expect(await page.evaluate(() => (window as unknown as { moved: string[] }).moved)).toEqual([])
})
