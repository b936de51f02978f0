import { describe, expect, it } from 'vitest'
import { axe } from './browser'
import * as use from './use'
import { param } from './use'
import { operation, service, workers } from './world'
import type { World } from './world'

const pages = await use.usePages()

const staged = (path: string, part: Partial<World>) => use.staged(pages, path, part)

describe('several rows', () => {
  it('are tagged, kept in the address, and signalled by one question that names them', async () => {
    const asked: unknown[] = []
    const { page } = await staged('/processes', {
      processes: workers,
      answer: async (route, path) => {
        if (!path.endsWith('/signals')) return false
        asked.push([path, route.request().postDataJSON()])
        await route.fulfill({
          status: 409,
          json: { error: { code: 'conflict', message: 'another process by now' } },
        })
        return true
      },
    })
    await page.getByRole('checkbox', { name: 'worker-1', exact: false }).first().check()
    await page.getByRole('region', { name: 'Processes' }).focus()
    await page.keyboard.press('Home')
    await page.keyboard.press('Space')
    await page.getByText('2 tagged').waitFor()
    await page.reload()
    const bar = page.getByRole('group', { name: '2 tagged' })
    await bar.getByRole('button', { name: 'TERM' }).click()
    const dialog = page.getByRole('dialog', { name: 'TERM: 2 targets' })
    await dialog.getByText('worker-0').waitFor()
    await dialog.getByText('worker-1').waitFor()
    expect(await axe(page)).toEqual([])
    await dialog.getByRole('button', { name: 'TERM: 2 targets' }).click()
    await expect.poll(() => asked.length).toBe(2)
    expect(asked).toContainEqual([
      `/processes/${workers[0]?.pid}/signals`,
      { signal: 'TERM', startTime: workers[0]?.startTime },
    ])
  })
})

describe('what was done to several rows', () => {
  it('is done with: who is left tagged are those on which it failed, to be tried again', async () => {
    const services = ['a', 'b', 'c'].map((name, i) => ({
      ...service(0),
      name: `${name}.service`,
      mainPid: i,
    }))
    let id = 100
    const { page, stage } = await staged('/services', {
      services,
      answer: async (route, path) => {
        const target = /^\/services\/systemd%3A(.*)\/actions$/.exec(path)?.[1]
        if (!target) return false
        if (target === 'c.service') {
          const error = { code: 'conflict', message: 'its name must be typed' }
          await route.fulfill({ status: 409, json: { error } })
          return true
        }
        const part = { logType: 'service.restart', target, message: '' } as const
        const begun = operation(id++, { ...part, retStatus: 'running', logStatus: 'new' })
        await route.fulfill({ status: 202, json: { operation: begun } })
        stage.tell({ ...begun, retStatus: target === 'a.service' ? 'succeeded' : 'failed' }, 3)
        return true
      },
    })
    for (const { name } of services) await page.getByRole('checkbox', { name }).check()
    await page
      .getByRole('group', { name: '3 tagged' })
      .getByRole('button', { name: 'Restart' })
      .click()
    await page.getByRole('dialog').getByRole('button', { name: 'Restart: 3 targets' }).click()
    const left = page.getByRole('group', { name: '2 tagged' })
    await left.waitFor()
    expect(param(page, 'tag')).toBe('systemd%3Ab.service,systemd%3Ac.service')
    await left.getByRole('button', { name: 'Restart' }).click()
    const dialog = page.getByRole('dialog')
    expect(await dialog.getByRole('listitem').allInnerTexts()).toEqual([
      expect.stringMatching(/^b\.service/),
      expect.stringMatching(/^c\.service/),
    ])
  })

  it('leaves who did it at the rows, where no tag is left', async () => {
    const { page } = await staged('/services', {
      services: [service(0)],
      answer: async (route, path) => {
        if (!path.endsWith('/actions')) return false
        const part = {
          logType: 'service.restart',
          target: 'nginx.service',
          logStatus: 'new',
        } as const
        await route.fulfill({ status: 202, json: { operation: operation(100, part) } })
        return true
      },
    })
    await page.getByRole('checkbox', { name: 'nginx.service' }).check()
    const bar = page.getByRole('group', { name: '1 tagged' })
    await bar.getByRole('button', { name: 'Restart' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Restart: 1 targets' }).click()
    await bar.waitFor({ state: 'detached' })
    const rows = page.getByRole('region', { name: 'Services' })
    await expect.poll(() => rows.evaluate((e) => e === document.activeElement)).toBe(true)
  })
})
