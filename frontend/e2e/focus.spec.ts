import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { password, Server } from './server'
import { usePages, useServer, watch } from './use'

const server = await useServer(Server.ready())
const pages = await usePages()

const at = (path: string) => watch(pages, server, path, { as: 'ada' })

/** What has the focus, by its label or its text. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const element = document.activeElement
    if (element === document.body) return 'nothing'
    const label = element instanceof HTMLInputElement ? element.labels?.[0] : undefined
    return element?.getAttribute('aria-label') ?? (label ?? element)?.textContent?.trim()
  })

const field = (page: Page, name: string) => page.getByLabel(name, { exact: true })

describe('signing in', () => {
  it('begins at the first field that is empty, and goes on there when it is refused', async () => {
    const page = await pages.open()
    await page.goto(server.url)
    await expect.poll(() => focused(page)).toBe('User name')
    await page.keyboard.type('ada')
    await field(page, 'Password').fill('not the password')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('The user name or the password is wrong.').waitFor()
    await expect.poll(() => focused(page)).toBe('Password')
  })

  it('keeps the password while the server does not answer', async () => {
    const page = await pages.open()
    await page.goto(server.url)
    await field(page, 'User name').fill('ada')
    await field(page, 'Password').fill(password)
    await page.context().setOffline(true)
    await page.keyboard.press('Enter')
    await page.getByText('The server does not answer.').waitFor()
    await page.context().setOffline(false)
    await page.keyboard.press('Enter')
    await page.getByText('Live', { exact: true }).waitFor()
  })

  it('is not said to go on after an end that one chose, and is with the name after one that came', async () => {
    const page = await at('/processes')
    await page.getByRole('button', { name: 'You and your settings' }).click()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await expect.poll(() => focused(page)).toBe('User name')
    expect(await page.getByText('Your session has ended.').first().isVisible()).toBe(false)

    const other = await at('/processes')
    await other.context().request.delete(`${server.url}/api/v1/session`, {
      headers: { Origin: server.url, 'Content-Type': 'application/json' },
    })
    await other.getByText('Your session has ended.').first().waitFor()
    await expect.poll(() => focused(other)).toBe('Password')
    await other.keyboard.type(password)
    await other.keyboard.press('Enter')
    await other.getByRole('heading', { name: 'Processes' }).waitFor()
  })
})

describe('a form', () => {
  it('that is sent goes on at its first field that is wrong', async () => {
    const page = await at('/users')
    await page.getByRole('button', { name: 'Add user' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('User name').fill('Grace')
    await dialog.getByLabel('New password').fill(password)
    await dialog.getByLabel('The same again').fill('another')
    await page.keyboard.press('Enter')
    await expect.poll(() => focused(page)).toBe('User name')
    await page.keyboard.type('x')
    expect(await focused(page)).toBe('User name')
    await dialog.getByLabel('User name').fill('grace')
    await page.keyboard.press('Enter')
    await expect.poll(() => focused(page)).toBe('The same again')
  })
})

describe('what has the focus', () => {
  it('has it again when it waited for an answer', async () => {
    const page = await at('/account')
    let answer = () => {}
    const answered = new Promise<void>((resolve) => (answer = resolve))
    await page.route('**/api/v1/users/ada', async (route) => {
      await answered
      await route.abort()
    })
    await page.getByLabel('Current password').fill(password)
    await page.getByLabel('New password').fill('a new good password')
    await page.getByLabel('The same again').fill('a new good password')
    await page.getByRole('button', { name: 'Change password' }).press('Enter')
    // The browser takes it from what is disabled.
    await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe('BODY')
    answer()
    await page.getByText('The server does not answer.').waitFor()
    await expect.poll(() => focused(page)).toBe('Change password')
  })

  it('hands it on to what is around when it leaves the page', async () => {
    const page = await at('/account')
    await page.getByRole('button', { name: 'Set up' }).press('Enter')
    await page.getByRole('img', { name: 'The key as a QR code' }).waitFor()
    await expect.poll(() => focused(page)).toBe('Second factor')

    await server.addUser(page.context(), 'mary', 'viewer')
    await page.goto(`${server.url}/users`)
    await page.getByRole('button', { name: 'Remove mary' }).press('Enter')
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).press('Enter')
    await page.getByRole('button', { name: 'Remove mary' }).waitFor({ state: 'detached' })
    await expect.poll(() => focused(page)).toBe('Users')

    // What is not on the screen is not seen by itself.
    await page.goto(`${server.url}/log?logType=setup.done`)
    await server.post('/session', { username: 'root', password: 'guess guess guess' })
    const mark = page.getByRole('button', { name: 'Mark all as seen' })
    await mark.press('Enter')
    await mark.waitFor({ state: 'detached' })
    await expect.poll(() => focused(page)).toBe('Log')
  })
})

describe('a role', () => {
  it('is chosen among all by the arrows, and asked about once', async () => {
    const page = await at('/users')
    await server.addUser(page.context(), 'edith', 'viewer')
    await page.reload()
    await page.getByRole('combobox', { name: 'Role of edith' }).focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog')
    await dialog.getByText('Give edith the role Administrator?').waitFor()
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await expect.poll(() => focused(page)).toBe('Role of edith')
  })
})
