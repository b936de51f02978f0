import { describe, expect, it } from 'vitest'
import { axe } from './browser'
import * as use from './use'
import { operation } from './world'
import type { World } from './world'

const pages = await use.usePages()

const ran = operation(7, {
  logType: 'command.run',
  target: 'apt-get -y upgrade',
  actor: 'ada',
  retStatus: 'failed',
  message: 'apt-get took more than 10 minutes and was ended',
})

describe('a command that is run again from its record', () => {
  it('may take as long as one says; Enter alone does not run it', async () => {
    const sent: unknown[] = []
    const answer: World['answer'] = async (route, path) => {
      if (path.endsWith('/output')) {
        await route.fulfill({ json: { text: '', truncated: false } })
        return true
      }
      if (path !== '/commands') return false
      sent.push(route.request().postDataJSON())
      await route.fulfill({ status: 202, json: { operation: { ...ran, id: '8' } } })
      return true
    }
    const { page } = await use.staged(pages, '/log?open=7', { operations: [ran], answer })
    await page.getByText('Live', { exact: true }).waitFor()
    const again = page.getByRole('button', { name: 'Do it again' })
    const dialog = page.getByRole('dialog', { name: 'Run this command again?' })
    await again.click()
    await dialog.getByText('apt-get -y upgrade').waitFor()
    // What is asked is read out before the answer that has the focus.
    expect(
      await dialog.evaluate(
        (e) => document.getElementById(e.getAttribute('aria-describedby') ?? '')?.textContent,
      ),
    ).toContain('apt-get -y upgrade')
    expect(await axe(page)).toEqual([])
    await page.keyboard.press('Enter')
    await dialog.waitFor({ state: 'detached' })
    expect(sent).toEqual([])
    await again.click()
    const time = dialog.getByLabel('Seconds at most')
    expect(await time.inputValue()).toBe('60')
    for (const wrong of ['', '0', '3601']) {
      await time.fill(wrong)
      await dialog.getByRole('button', { name: 'Run' }).click()
      expect(await time.evaluate((e: HTMLInputElement) => e.validity.valid)).toBe(false)
    }
    await time.fill('1800')
    await dialog.getByRole('button', { name: 'Run' }).click()
    await dialog.waitFor({ state: 'detached' })
    expect(sent).toEqual([{ command: 'apt-get -y upgrade', timeout: 1800 }])
  })
})
