import type { BrowserContextOptions, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { axe, phone } from './browser'
import * as use from './use'
import { focused, param, rowOf } from './use'
import { process as row, workers as processes } from './world'

const pages = await use.usePages()

const key = (i: number) => `${processes[i]?.pid}:${processes[i]?.startTime}`

const staged = (path: string, options?: BrowserContextOptions) =>
  use.staged(pages, path, { processes }, options)

const place = (page: Page, name: string) => rowOf(page, name).first().getAttribute('aria-rowindex')

describe('a list that holds still', () => {
  it('is frozen by a button, a key or the address: order and rows stay, values live', async () => {
    const { page, stage } = await staged('/processes')
    await rowOf(page, 'worker-0').waitFor()
    await page.getByRole('button', { name: 'Freeze the list' }).click()
    await page.getByText('Frozen: order and rows stay').first().waitFor()
    expect(param(page, 'freeze')).toBe('1')
    stage.push(
      'processes',
      [
        { ...processes[0], cpuPercent: 0.5 },
        { ...row(99), comm: 'newcomer', cpuPercent: 99 },
      ],
      [key(1)],
      [{ key: key(1), exitCode: null, signal: 9, lived: 1 }],
    )
    await rowOf(page, 'worker-0').getByRole('cell', { name: '0.5', exact: true }).waitFor()
    expect(await place(page, 'worker-0')).toBe('2')
    await rowOf(page, 'worker-1').getByText('killed by SIGKILL').first().waitFor()
    expect(await rowOf(page, 'newcomer').count()).toBe(0)
    await page.getByText('1 new not shown').waitFor()
    expect(await axe(page)).toEqual([])

    await page.keyboard.press('f')
    await rowOf(page, 'newcomer').waitFor()
    expect(await place(page, 'newcomer')).toBe('2')
    expect(param(page, 'freeze')).toBeNull()
  })

  it.each([
    ['table', {}],
    ['list on a phone', phone],
  ])('shifts nothing in the page while rows change their places: a %s', async (_, options) => {
    const { page, stage } = await staged('/processes', options)
    await page.getByText('worker-0', { exact: true }).waitFor()
    await page.evaluate(() => {
      const shifts: number[] = []
      Object.assign(window, { shifts })
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries())
          shifts.push((entry as PerformanceEntry & { value: number }).value)
      }).observe({ type: 'layout-shift' })
    })
    const top = () => page.getByText(/^worker-\d+$/).allInnerTexts()
    stage.push('processes', [{ ...processes[12], cpuPercent: 99 }])
    await expect.poll(async () => (await top())[0]).toBe('worker-12')
    // Shifts are told with the frame after the one that they are in.
    const shifts = await page.evaluate(async () => {
      for (let i = 0; i < 3; i++) await new Promise((resolve) => requestAnimationFrame(resolve))
      await new Promise((resolve) => setTimeout(resolve, 0))
      return (window as unknown as { shifts: number[] }).shifts
    })
    expect(shifts.reduce((sum, shift) => sum + shift, 0)).toBeLessThan(0.005)
  })

  it('is frozen still after a reload', async () => {
    const { page, stage } = await staged('/processes?freeze=1')
    await rowOf(page, 'worker-0').waitFor()
    stage.push('processes', [{ ...processes[9], cpuPercent: 99 }])
    await rowOf(page, 'worker-9').getByText('99.0').waitFor()
    expect(await place(page, 'worker-9')).toBe('11')
  })

  it('keeps every row where it is while the pointer is over them', async () => {
    const { page, stage } = await staged('/processes')
    await rowOf(page, 'worker-5').hover()
    stage.push('processes', [{ ...processes[20], cpuPercent: 99 }])
    await rowOf(page, 'worker-20').getByText('99.0').waitFor()
    await page.getByText('Order held while you aim').waitFor()
    expect(await place(page, 'worker-5')).toBe('7')
    await page.mouse.move(300, 20)
    await expect.poll(() => place(page, 'worker-20')).toBe('2')
    expect(await place(page, 'worker-5')).toBe('8')
  })

  it('keeps the few of the overview, too, while one points at them or has come to one by keys', async () => {
    const { page, stage } = await staged('/')
    const top = page.getByRole('table', { name: 'Processes by CPU' })
    const names = () => top.getByRole('link', { name: /^worker-/ }).allInnerTexts()
    const five = ['worker-0', 'worker-1', 'worker-2', 'worker-3', 'worker-4']
    const busier = (i: number) =>
      stage.push('processes', [
        { ...processes[0], cpuPercent: 70 + i },
        { ...processes[i], cpuPercent: 99 },
      ])
    await expect.poll(names).toEqual(five)
    await top.getByRole('link', { name: 'worker-2' }).hover()
    busier(20)
    await top.getByText('90.0').waitFor()
    expect(await names()).toEqual(five)
    await page.mouse.move(300, 20)
    await expect.poll(async () => (await names())[0]).toBe('worker-20')
    const now = await names()
    await page.getByRole('link', { name: 'Processes by CPU' }).focus()
    await page.keyboard.press('Tab')
    busier(21)
    await top.getByText('91.0').waitFor()
    expect(await names()).toEqual(now)
    expect(await axe(page)).toEqual([])
  })

  it('and while one goes through them by keys; the focus follows the process', async () => {
    const { page, stage } = await staged('/processes')
    await rowOf(page, 'worker-0').waitFor()
    await page.getByRole('region', { name: 'Processes' }).focus()
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowDown')
    expect(await focused(page)).toBe('4')
    stage.push('processes', [{ ...processes[20], cpuPercent: 99 }])
    await rowOf(page, 'worker-20').getByText('99.0').waitFor()
    expect(await focused(page)).toBe('4')
    await page.keyboard.press('Enter')
    await expect.poll(() => param(page, 'open')).toBe(key(2))
    await page.keyboard.press('Escape')
    await expect.poll(() => param(page, 'open')).toBeNull()
    await expect.poll(() => focused(page)).not.toBeNull()
  })

  it('shows how processes ended, and those that no reading saw', async () => {
    const { page, stage } = await staged('/processes')
    await rowOf(page, 'worker-0').waitFor()
    const brief = { ...row(70), comm: 'brief', cmdline: 'brief --once', cpuPercent: 90 }
    stage.push(
      'processes',
      [],
      [key(3)],
      [
        { key: key(3), exitCode: 2, signal: null, lived: 1 },
        { key: `${brief.pid}:${brief.startTime}`, exitCode: 0, signal: null, lived: 1, row: brief },
      ],
    )
    await rowOf(page, 'worker-3').getByText('exit status 2').waitFor()
    expect(await place(page, 'brief')).toBe('2')
    await page.getByRole('link', { name: 'Ended' }).click()
    await rowOf(page, 'brief --once').getByText('exit status 0').waitFor()
    await rowOf(page, 'worker-3').getByText('exit status 2').waitFor()
    expect(await page.getByRole('row').count()).toBe(3)
    expect(await axe(page)).toEqual([])
  })
})
