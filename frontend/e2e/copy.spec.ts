import type { Locator, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import type { ServiceReply } from '../src/lib/wire.gen'
import { param, staged, usePages } from './use'
import { iso, operation, process as row, service } from './world'

const pages = await usePages()

const cmdline = `/usr/bin/java ${Array.from({ length: 60 }, (_, i) => `-Dx.${i}=y`).join(' ')}`
const processes = Array.from({ length: 40 }, (_, i) => ({ ...row(i), cpuPercent: 50 - i }))
processes[0] = { ...row(0), comm: 'java', cmdline, cpuPercent: 99 }

/** Selects what is within a width from the left of an element, as one does with a mouse. */
async function drag(page: Page, element: Locator, width: number) {
  const box = await element.boundingBox()
  if (!box) throw new Error('it is not there')
  const y = box.y + Math.min(box.height / 2, 45)
  await page.mouse.move(box.x + 9, y)
  await page.mouse.down()
  await page.mouse.move(box.x + width, y, { steps: 4 })
  await page.mouse.up()
}

/** Whether an element is within the window and all that scrolls around it. */
const inSight = (element: Locator) =>
  element.evaluate((element) => {
    const { x, y, width, height } = element.getBoundingClientRect()
    return element.contains(document.elementFromPoint(x + width / 2, y + height / 2))
  })

const selected = (page: Page) => page.evaluate(() => getSelection()?.toString())

it('text in a row is selected without opening it, and stays so while rows change', async () => {
  const { page, stage } = await staged(pages, '/processes', { processes })
  const cell = page.getByRole('cell', { name: '/usr/bin/java' })
  await drag(page, cell, 90)
  const text = await selected(page)
  expect(text).toMatch(/^\/usr\/bin\/java/)
  expect(param(page, 'open')).toBeNull()
  // Neither does another order take it away when the pointer has left.
  await page.mouse.move(300, 20)
  const java = page.getByRole('row').filter({ has: cell })
  stage.push('processes', [{ ...processes[0], cpuPercent: 0.1, rss: 123_456_789 }])
  await page.getByText('118 MiB').waitFor()
  expect(await selected(page)).toBe(text)
  expect(await java.getAttribute('aria-rowindex')).toBe('2')
  // Once it is no longer needed, the row goes where it belongs.
  await page.getByRole('heading', { name: 'Processes' }).click()
  await expect.poll(() => java.getAttribute('aria-rowindex')).toBe('41')
})

/** What the server knows of the process of the long command line. */
const detail = {
  ...{ process: processes[0], cwd: '/', exe: '/usr/bin/java', cgroup: '', children: [] },
  ...{ limits: [], sockets: [], status: null, memory: null, io: null, descriptors: null },
  errors: {},
}
const path = `/processes/${processes[0]?.pid}`
const opened = `/processes?open=${processes[0]?.pid}:${processes[0]?.startTime}`

describe('what is selected in a panel stays so, and where it is', () => {
  /** Selects what is within a width of an element; does something; then looks for both. */
  async function stays(page: Page, element: Locator, change: () => Promise<void>) {
    await element.scrollIntoViewIfNeeded()
    await drag(page, element, 120)
    const text = await selected(page)
    expect(text?.length).toBeGreaterThan(5)
    const at = () => page.evaluate(() => getSelection()?.getRangeAt(0).getBoundingClientRect().y)
    const before = await at()
    await change()
    expect(await selected(page)).toBe(text)
    expect(await at()).toBe(before)
  }
  const lines = (from: number) =>
    Array.from({ length: 30 }, (_, i) => ({
      ...{ time: iso(100 - i), priority: 6, program: 'web', pid: 7 },
      text: `a line that is number ${from + i}`,
    }))

  it('while a process goes on', async () => {
    let asked = 0
    const { page, stage } = await staged(pages, opened, {
      processes,
      answer: async (route, of) => {
        if (of !== path) return false
        const io = { readBytes: 1, writeBytes: ++asked, readCalls: 1, writeCalls: 1 }
        await route.fulfill({ json: { ...detail, io } })
        return true
      },
    })
    const panel = page.getByRole('complementary', { name: 'Process' })
    await stays(page, panel.getByText('/usr/bin/java -Dx.0'), async () => {
      stage.push('processes', [{ ...processes[0], cpuPercent: 0.1, rss: 123_456_789 }])
      await panel.getByText('118 MiB').first().waitFor()
      const before = asked
      await expect.poll(() => asked).toBeGreaterThan(before + 1)
    })
  })

  it('while a journal is followed; then that goes on at its end', async () => {
    const web = { ...service(0), name: 'web.service' }
    const reply: ServiceReply = {
      ...{ service: web, dependencies: {}, stopsToo: [], guarded: '', lastLines: [] },
      ...{ connected: [], carriesSession: false, errors: {} },
    }
    const { page, stage } = await staged(pages, '/services?open=web.service', {
      services: [web],
      answer: async (route, of) => {
        if (of !== '/services/web.service') return false
        await route.fulfill({ json: reply })
        return true
      },
    })
    const following = () => [...stage.watches.values()].some(({ topic }) => topic === 'journal')
    await expect.poll(following).toBe(true)
    stage.write('journal', lines(100))
    const journal = page.getByRole('region', { name: 'Journal' })
    await stays(page, journal.getByText('a line that is number 127'), async () => {
      stage.write('journal', lines(200))
      await journal.getByText('number 229').waitFor({ state: 'attached' })
    })
    await journal.getByRole('heading').click()
    stage.write('journal', lines(300))
    await expect.poll(() => inSight(journal.getByText('number 329'))).toBe(true)
  })

  it('while a command runs, and at its end', async () => {
    const runs = operation(7, { logType: 'command.run', target: 'make', retStatus: 'running' })
    const text = [...lines(100), ...lines(200)].map((line) => line.text + '\n')
    const { page, stage } = await staged(pages, '/log?open=7', {
      operations: [runs],
      answer: async (route, of) => {
        if (!of.endsWith('/output')) return false
        await route.fulfill({ json: { text: text.join(''), truncated: false } })
        return true
      },
    })
    const following = () => [...stage.watches.values()].some(({ topic }) => topic === 'output')
    await expect.poll(following).toBe(true)
    const write = (all: string[]) =>
      stage.write(
        'output',
        all.map((text) => ({ text })),
      )
    write(text.slice(0, 30))
    const output = page.getByRole('region', { name: 'Output' })
    await output.getByText('number 129').waitFor()
    await stays(page, output.getByText('number 127'), async () => {
      write(text.slice(30))
      await output.getByText('number 229').waitFor({ state: 'attached' })
    })
    const before = await selected(page)
    stage.tell({ ...runs, retStatus: 'succeeded', message: '' }, 0)
    await page.getByRole('complementary').getByText('succeeded').first().waitFor()
    expect(await selected(page)).toBe(before)
  })
})

it('a long command line is copied whole from the panel of its process', async () => {
  const { page } = await staged(
    pages,
    opened,
    {
      processes,
      answer: async (route, of) => {
        if (of !== path) return false
        await route.fulfill({ json: detail })
        return true
      },
    },
    { permissions: ['clipboard-read', 'clipboard-write'] },
  )
  await page.getByRole('button', { name: 'Copy: Command line' }).click()
  const copied = () => page.evaluate(() => navigator.clipboard.readText())
  await expect.poll(copied).toBe(cmdline)
  await page.getByRole('button', { name: 'Copy: User' }).click()
  await expect.poll(copied).toBe('root')
  await page.getByRole('button', { name: 'Copy: Unit' }).click()
  await expect.poll(copied).toBe('init.scope')
  await page.goto('http://localhost:7373/services?open=ssh.service')
  await page.getByRole('button', { name: 'Copy: Service', exact: true }).click()
  await expect.poll(copied).toBe('ssh.service')
})
