import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { axe } from './browser'
import { password, Server } from './server'
import { usePages, useServer, watch } from './use'

const server = await useServer(Server.ready())
const strict = await useServer(Server.start('--second-factor', 'admin,operator'))
const pages = await usePages()

/** An authenticator app, by RFC 6238. It gives no code twice. */
class Phone {
  #secret: Buffer
  #last = 0

  /** From a key in base32, with or without spaces. */
  constructor(key: string) {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
    const bits = Array.from(key.replace(/\s/g, ''), (letter) =>
      letters.indexOf(letter).toString(2).padStart(5, '0'),
    ).join('')
    this.#secret = Buffer.from(bits.match(/.{8}/g)?.map((byte) => parseInt(byte, 2)) ?? [])
  }

  /** A code that the server takes now: it takes those of the step before and after, too. */
  async code(): Promise<string> {
    const step = () => Math.floor(Date.now() / 30_000)
    this.#last = Math.max(this.#last + 1, step())
    while (this.#last > step() + 1) await new Promise((resolve) => setTimeout(resolve, 500))
    const counter = Buffer.alloc(8)
    counter.writeBigUInt64BE(BigInt(this.#last))
    const sum = createHmac('sha1', this.#secret).update(counter).digest()
    const offset = (sum[19] ?? 0) & 15
    return `${(sum.readUInt32BE(offset) & 0x7fffffff) % 1_000_000}`.padStart(6, '0')
  }
}

const at = (path: string, as = 'ada') =>
  watch(pages, server, path, { as, acceptDownloads: true, permissions: ['clipboard-write'] })

/** Nothing for axe, in light and in dark colours and at the width of a phone, where nothing overflows either. */
async function looks(page: Page) {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme })
    expect(await axe(page)).toEqual([])
  }
  const size = page.viewportSize()
  await page.setViewportSize({ width: 390, height: 844 })
  expect(await axe(page)).toEqual([])
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
  if (size) await page.setViewportSize(size)
}

/** Sets it up, from where the key is shown to where the recovery codes were kept. */
async function enrol(page: Page): Promise<{ phone: Phone; recovery: string[] }> {
  await page.getByRole('img', { name: 'The key as a QR code' }).waitFor()
  const phone = new Phone(await page.getByText(/^([A-Z2-7]{4} ){7}[A-Z2-7]{4}$/).innerText())
  await page.getByLabel('Code', { exact: true }).fill(await phone.code())
  await page.getByRole('button', { name: 'Turn on' }).click()
  await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor()
  const recovery = await page.getByText(/^([a-z2-7]{4}-){3}[a-z2-7]{4}$/).allInnerTexts()
  expect(new Set(recovery).size).toBe(10)
  return { phone, recovery }
}

const kept = (page: Page) => page.getByRole('button', { name: 'I have kept them' }).click()

async function signOut(page: Page) {
  await page.getByRole('button', { name: 'You and your settings' }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
}

async function givePassword(page: Page, username: string) {
  await page.getByLabel('User name').fill(username)
  await page.getByLabel('Password').fill(password)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Second factor' }).waitFor()
}

describe('a second factor', () => {
  it('that was lost is taken away by an administrator', async () => {
    const admin = await at('/')
    await server.addUser(admin.context(), 'grace', 'operator')
    const grace = await at('/account', 'grace')
    await grace.getByRole('button', { name: 'Set up' }).click()
    await enrol(grace)
    await kept(grace)
    await grace.getByText('10 recovery codes are left.').waitFor()

    await admin.goto(`${server.url}/users`)
    const row = admin
      .getByRole('table', { name: 'Users', exact: true })
      .getByRole('row')
      .filter({ hasText: 'grace' })
    await row.getByRole('cell', { name: /^yes/ }).waitFor()
    await looks(admin)
    await row.getByRole('button', { name: 'Remove the second factor of grace' }).click()
    await admin
      .getByRole('dialog')
      .getByRole('button', { name: 'Remove second factor', exact: true })
      .click()
    await row.getByRole('cell', { name: 'no', exact: true }).waitFor()
    await grace.getByText('Your session has ended.').first().waitFor()
    await at('/', 'grace')
  })

  it('is set up, signs in with a code of the app, and with a recovery code, once', async () => {
    const page = await at('/account')
    await page.getByRole('button', { name: 'Set up' }).click()
    await page.getByRole('img', { name: 'The key as a QR code' }).waitFor()
    await looks(page)
    await page.getByLabel('Code', { exact: true }).fill('no code')
    await page.getByRole('button', { name: 'Turn on' }).click()
    await page.getByRole('alert').getByText('The code is wrong').waitFor()
    const { phone, recovery } = await enrol(page)
    await looks(page)
    const download = page.waitForEvent('download')
    await page.getByRole('link', { name: 'Download' }).click()
    const file = await readFile(await (await download).path(), 'utf8')
    expect(file).toContain('Recovery codes of ada for topdeck on 127.0.0.1')
    for (const code of recovery) expect(file).toContain(code)
    await page.getByRole('button', { name: 'Copy' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    await kept(page)
    await page.getByText('10 recovery codes are left.').waitFor()
    await looks(page)

    await signOut(page)
    await givePassword(page, 'ada')
    expect(await page.getByRole('alert').count()).toBe(0)
    const code = page.getByLabel('Code', { exact: true })
    expect(await code.getAttribute('autocomplete')).toBe('one-time-code')
    expect(await code.getAttribute('inputmode')).toBe('numeric')
    expect(await code.evaluate((element) => element === document.activeElement)).toBe(true)
    await looks(page)
    await code.fill('no code')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('The code is wrong, or it was used before.').waitFor()
    await looks(page)
    await code.fill(await phone.code())
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('10 recovery codes are left.').waitFor()

    await signOut(page)
    await givePassword(page, 'ada')
    await page.getByRole('button', { name: 'Use a recovery code' }).click()
    await looks(page)
    await page.getByLabel('Recovery code', { exact: true }).fill(recovery[4] ?? '')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('9 recovery codes are left.').waitFor()

    await page.getByRole('button', { name: 'New recovery codes' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Use a recovery code' }).click()
    await dialog.getByLabel('Recovery code', { exact: true }).fill(recovery[4] ?? '')
    await dialog.getByRole('button', { name: 'New recovery codes' }).click()
    await dialog.getByText('The code is wrong, or it was used before.').waitFor()
    await looks(page)
    await dialog.getByLabel('Recovery code', { exact: true }).fill(recovery[5] ?? '')
    await dialog.getByRole('button', { name: 'New recovery codes' }).click()
    await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor()
    const fresh = await page.getByText(/^([a-z2-7]{4}-){3}[a-z2-7]{4}$/).allInnerTexts()
    await kept(page)

    await page.getByRole('button', { name: 'Turn off' }).click()
    await dialog.getByRole('button', { name: 'Use a recovery code' }).click()
    await dialog.getByLabel('Recovery code', { exact: true }).fill(fresh[0] ?? '')
    await dialog.getByRole('button', { name: 'Turn off' }).click()
    await page.getByText('Off: your password alone signs you in.').waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
  })

  it('that a role needs is set up first of all, after set-up too', async () => {
    const page = await pages.open()
    await page.goto(await strict.setupUrl())
    await page.getByLabel('User name').fill('ada')
    await page.getByLabel('New password').fill(password)
    await page.getByLabel('The same again').fill(password)
    await page.getByRole('button', { name: 'Create administrator' }).click()
    await page.getByRole('heading', { name: 'Set up a second factor' }).waitFor()
    await page.goto(`${strict.url}/processes`)
    await page.getByRole('heading', { name: 'Set up a second factor' }).waitFor()
    await page.getByRole('img', { name: 'The key as a QR code' }).waitFor()
    await looks(page)
    const { recovery } = await enrol(page)
    await looks(page)
    await kept(page)
    await page.getByRole('heading', { name: 'Processes' }).waitFor()
    await page.getByText('Live', { exact: true }).waitFor()

    await page.goto(`${strict.url}/account`)
    await page.getByRole('button', { name: 'Turn off' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('Your role needs one').waitFor()
    await dialog.getByRole('button', { name: 'Use a recovery code' }).click()
    await dialog.getByLabel('Recovery code', { exact: true }).fill(recovery[0] ?? '')
    await dialog.getByRole('button', { name: 'Turn off' }).click()
    await page.getByRole('heading', { name: 'Set up a second factor' }).waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })
})
