import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { axe } from './browser'
import { password, Server } from './server'
import { usePages, useServer, visit, watch } from './use'

const server = await useServer(Server.ready())
const pages = await usePages()

const at = (path: string, as = 'ada') => watch(pages, server, path, { as })

const news = (page: Page) => page.getByRole('region', { name: 'News' })
/** How many records the page's title says that nobody has looked at. */
const unseen = async (page: Page) => Number(/^\((\d+)/.exec(await page.title())?.[1] ?? 0)
const log = (page: Page) => page.getByRole('navigation').getByRole('link', { name: /^Log/ })

describe('users', () => {
  it('are added, given a role and a password, and removed', async () => {
    const page = await at('/users')
    await page.getByRole('button', { name: 'Add user' }).click()
    const dialog = page.getByRole('dialog')
    const focused = () => page.evaluate(() => document.activeElement?.textContent)
    expect(
      await dialog
        .getByLabel('User name')
        .evaluate((element) => element === document.activeElement),
    ).toBe(true)
    await page.keyboard.press('Escape')
    await expect.poll(focused).toBe('Add user')
    await page.getByRole('button', { name: 'Add user' }).click()
    // A click beside what has nothing typed in it closes it.
    await page.mouse.click(10, 10)
    await dialog.waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Add user' }).click()
    const name = dialog.getByLabel('User name')
    await name.fill('gra')
    await dialog.getByRole('radio', { name: /^Operator/ }).check()
    await dialog.getByLabel('New password').fill(password)
    await page.mouse.click(10, 10)
    expect(await dialog.getByLabel('New password').inputValue()).toBe(password)
    // What was typed is there again, but for the password; unless it was said that it is not wanted.
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Add user' }).click()
    expect(await name.inputValue()).toBe('gra')
    expect(await dialog.getByRole('radio', { name: /^Operator/ }).isChecked()).toBe(true)
    expect(await dialog.getByLabel('New password').inputValue()).toBe('')
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: 'Add user' }).click()
    expect(await name.inputValue()).toBe('')
    await name.fill('ada')
    await dialog.getByRole('radio', { name: /^Viewer/ }).check()
    await dialog.getByLabel('New password').fill(password)
    await dialog.getByLabel('The same again').fill(password)
    await dialog.getByRole('button', { name: 'Add user' }).click()
    await dialog.getByText('There is already a user ada.').waitFor()
    await expect
      .poll(() => name.evaluate((element) => element === document.activeElement))
      .toBe(true)
    expect(await name.getAttribute('aria-invalid')).toBe('true')
    // What is written there is written over, and blanks around a name do not count.
    await page.keyboard.insertText(' grace ')
    expect(await name.getAttribute('aria-invalid')).toBe('false')
    await dialog.getByRole('button', { name: 'Add user' }).click()
    const row = page
      .getByRole('table', { name: 'Users', exact: true })
      .getByRole('row')
      .filter({ hasText: 'grace' })
    await row.waitFor()
    await news(page).getByText('Added user: grace').waitFor()

    await row.getByRole('combobox').selectOption('operator')
    await dialog.getByText('Give grace the role Operator?').waitFor()
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await row.getByRole('combobox').selectOption('operator')
    await dialog.getByRole('button', { name: 'Change role' }).click()
    await news(page).getByText('Changed role: grace').waitFor()
    await expect.poll(() => row.getByRole('combobox').inputValue()).toBe('operator')

    await row.getByRole('button', { name: /^Set password/ }).click()
    await dialog.getByLabel('New password').fill('another good password')
    await dialog.getByLabel('The same again').fill('another good password')
    await dialog.getByRole('button', { name: 'Set password' }).click()
    await news(page).getByText('Changed password: grace').waitFor()

    await row.getByRole('button', { name: 'Remove grace' }).click()
    await dialog.getByText('Remove the account grace?').waitFor()
    await expect.poll(focused).toBe('Cancel')
    await dialog.getByRole('button', { name: 'Remove' }).click()
    await row.waitFor({ state: 'detached' })
  })

  it('cannot lose their last administrator: the refusal is told', async () => {
    const page = await at('/users')
    const row = page
      .getByRole('table', { name: 'Users', exact: true })
      .getByRole('row')
      .filter({ hasText: 'ada' })
    await row.getByRole('combobox').selectOption('viewer')
    await page.getByRole('dialog').getByRole('button', { name: 'Change role' }).click()
    await news(page).getByText('This is the last administrator; make another one first.').waitFor()
    expect(await row.getByRole('combobox').inputValue()).toBe('admin')
  })
})

describe('two browsers', () => {
  it('see what the other did, at once: a toast, the badge, the row, the title', async () => {
    const one = await at('/')
    const two = await at('/log')
    await server.addUser(one.context(), 'mary', 'viewer')
    await news(one).getByText('Added user: mary').waitFor()
    await news(two).getByText('Added user: mary').waitFor()
    await two.getByRole('link', { name: 'Added user' }).first().waitFor()
    // The one who looks at the log has it seen for both, after a while.
    await expect.poll(() => one.title(), { timeout: 10_000 }).not.toMatch(/^\(\d/)
    await expect.poll(() => log(one).innerText()).toBe('Log')
  })

  it('count what nobody has looked at', async () => {
    const page = await at('/')
    await server.post('/session', { username: 'root', password: 'guess guess guess' })
    await news(page).getByText('Sign-in refused: root').waitFor()
    await expect.poll(() => log(page).innerText()).toMatch(/[1-9]/)
    expect(await page.title()).toMatch(/^\([1-9]\d*\) Overview/)
    await page.getByRole('link', { name: 'Open record' }).first().click()
    await page.getByRole('complementary', { name: 'Record' }).getByText('session.denied').waitFor()
    await expect.poll(() => page.title(), { timeout: 10_000 }).not.toMatch(/^\(/)
  })

  it('see accounts and sessions change, while what is being written stays', async () => {
    const one = await at('/users')
    const { request } = (await at('/')).context()
    const nora = (method: 'PATCH' | 'DELETE', data?: object) =>
      request.fetch(`${server.url}/api/v1/users/nora`, {
        method,
        headers: { Origin: server.url, 'Content-Type': 'application/json' },
        ...(data ? { data } : {}),
      })
    const rowsOf = (page: Page, name: string) =>
      page.getByRole('table', { name, exact: true }).getByRole('row')
    const account = rowsOf(one, 'Users').filter({ hasText: 'nora' })
    const session = rowsOf(one, 'Sessions of all users').filter({ hasText: 'nora' })
    await one.getByRole('button', { name: 'Add user' }).click()
    const field = one.getByRole('dialog').getByLabel('User name')
    await field.fill('half-writ')

    await server.addUser(one.context(), 'nora', 'viewer')
    await account.waitFor()
    const guest = await at('/account', 'nora')
    await session.waitFor()
    await server.signIn((await pages.open()).context(), 'nora')
    await expect.poll(() => session.count()).toBe(2)
    // The first row has the titles.
    await expect.poll(() => rowsOf(guest, 'Your sessions').count()).toBe(3)

    await nora('PATCH', { role: 'operator' })
    await expect.poll(() => account.locator('select').inputValue()).toBe('operator')
    await expect.poll(() => session.count()).toBe(0)
    await guest.getByText('Your session has ended. Your role was changed.').first().waitFor()
    await nora('DELETE')
    await account.waitFor({ state: 'detached' })
    expect(await field.inputValue()).toBe('half-writ')
    expect(await field.evaluate((element) => element === document.activeElement)).toBe(true)
  })

  it('are not offered to be added where they may not be seen', async () => {
    const page = await visit(pages, server, '/', { as: 'ada' })
    await page.route('**/api/v1/users', (route) =>
      route.fulfill({
        status: 403,
        json: { error: { code: 'reauthenticate', message: 'give your password again' } },
      }),
    )
    await page.getByRole('navigation').getByRole('link', { name: 'Users' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('Your password is needed to see the users.').waitFor()
    const add = page.getByRole('button', { name: 'Add user' })
    expect(await add.count()).toBe(0)
    await page.unroute('**/api/v1/users')
    await page.getByRole('button', { name: 'Try again' }).click()
    await add.waitFor()
  })

  it('see no row move while they aim at one', async () => {
    const page = await at('/users')
    const names = page.getByRole('table', { name: 'Users', exact: true }).getByRole('rowheader')
    await names.filter({ hasText: 'ada' }).hover()
    const asked = page.waitForResponse((response) => response.url().endsWith('/api/v1/users'))
    await server.addUser(page.context(), 'abe', 'viewer')
    await asked
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(drawn)))
    expect(await names.first().innerText()).toMatch(/^ada/)
    await page.mouse.move(300, 10)
    await names.filter({ hasText: 'abe' }).waitFor()
  })

  it('are signed out when their session is ended, and are told', async () => {
    const one = await at('/account')
    const two = await at('/processes')
    await one.reload()
    const rows = one.getByRole('table', { name: 'Your sessions' }).getByRole('row')
    await rows.filter({ hasText: 'this one' }).waitFor()
    // Every session of ada's but this one.
    for (;;) {
      const button = one.getByRole('button', { name: /^End session:/ }).first()
      if (!(await button.isVisible())) break
      const before = await rows.count()
      await button.click()
      await one
        .getByRole('dialog')
        .getByRole('button', { name: 'End session', exact: true })
        .click()
      await expect.poll(() => rows.count()).toBeLessThan(before)
    }
    const why = two.getByText('Your session has ended. You ended this session from another one.')
    await why.first().waitFor()
    await two.reload()
    await why.first().waitFor()
    expect(await axe(two)).toEqual([])
    expect(new URL(two.url()).pathname).toBe('/processes')
  })
})

describe('whose session is ended by others', () => {
  it('goes on with what they were writing, and is told of another role', async () => {
    const { request } = (await at('/')).context()
    const change = (data: object) =>
      request.patch(`${server.url}/api/v1/users/otto`, { headers: { Origin: server.url }, data })
    await server.addUser((await at('/')).context(), 'otto', 'admin')
    const page = await at('/services?q=cron', 'otto')
    const again = async (why: string) => {
      await page.getByText(`Your session has ended. ${why}`).first().waitFor()
      await page.getByLabel('Password').fill(password)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByText('Live', { exact: true }).waitFor()
    }
    const field = page.getByLabel('Or a command')
    await field.fill('make all')
    await change({ password })
    await again('Your password was changed.')
    expect(await field.inputValue()).toBe('make all')
    expect(await page.getByRole('searchbox').inputValue()).toBe('cron')
    const told = page.getByRole('region', { name: 'Role' })
    expect(await told.count()).toBe(0)
    await change({ role: 'operator' })
    await again('Your role was changed.')
    await told.getByText('Your role was changed from Administrator to Operator').waitFor()
    expect(await axe(page)).toEqual([])
    await told.getByRole('button', { name: 'Close' }).click()
    await told.waitFor({ state: 'detached' })
  })
})

describe('the log', () => {
  it('that shows a record tells of it in no toast besides', async () => {
    const page = await at('/log')
    await server.addUser(page.context(), 'kate', 'viewer')
    const toast = news(page).getByText('Added user: kate')
    await toast.hover()
    await page.getByRole('table', { name: 'Log' }).getByRole('rowheader', { name: 'kate' }).click()
    await page.getByRole('complementary', { name: 'Record' }).getByText('user.add').waitFor()
    expect(await toast.count()).toBe(0)
  })

  it('is searched, filtered and opened, by URL too', async () => {
    const page = await at('/log')
    await page.getByRole('combobox', { name: 'Type' }).selectOption('user.add')
    await expect.poll(() => new URL(page.url()).searchParams.get('logType')).toBe('user.add')
    const table = page.getByRole('table', { name: 'Log' })
    await expect.poll(() => table.getByRole('link', { name: 'Set up' }).count()).toBe(0)
    await page.getByRole('searchbox').fill('target:mary')
    await expect.poll(() => table.getByRole('link').allInnerTexts()).toEqual(['Added user'])
    await table.getByRole('rowheader', { name: 'mary' }).click()
    const record = page.getByRole('complementary', { name: 'Record' })
    await record.getByText('user.add').waitFor()
    await page.reload()
    await record.getByText('user.add').waitFor()
    await page.keyboard.press('Escape')
    await record.waitFor({ state: 'detached' })
    await page.getByRole('searchbox').fill('nosuch:1')
    await page.getByText('there is no field "nosuch" here').waitFor()
    expect(await page.locator('mark').innerText()).toBe('nosuch:1')
  })
})

describe('a viewer', () => {
  it('sees no users, no arguments of commands, and marks nothing as seen', async () => {
    const admin = await at('/')
    await server.addUser(admin.context(), 'edith', 'viewer')
    const page = await at('/log', 'edith')
    await page.getByRole('link', { name: 'Added user' }).first().waitFor()
    expect(await page.getByRole('navigation').getByRole('link', { name: 'Users' }).count()).toBe(0)
    expect(await page.getByRole('button', { name: 'Mark all as seen' }).count()).toBe(0)
    await page.goto(`${server.url}/users`)
    await page.getByText('This page is for the role Administrator; yours is Viewer.').waitFor()
    await page.goto(`${server.url}/processes?q=pid:${process.pid}`)
    const cells = page
      .getByRole('table', { name: 'Processes' })
      .getByRole('row')
      .nth(1)
      .getByRole('cell')
    await cells.first().waitFor()
    expect(await cells.last().innerText()).not.toContain(' ')
  })

  it('who follows a link to a process is told that they may not look into it', async () => {
    const page = await at(`/processes?open=${process.pid}`, 'edith')
    const panel = page.getByRole('complementary', { name: 'Process' })
    await panel.getByText('Your role, viewer, may not do this.').waitFor()
    expect(await panel.getByRole('button', { name: 'Try again' }).count()).toBe(0)
    expect(await axe(page)).toEqual([])
    await page.keyboard.press('Escape')
    await panel.waitFor({ state: 'detached' })
    expect(new URL(page.url()).searchParams.has('open')).toBe(false)
  })

  it('changes the own password and stays signed in', async () => {
    const page = await at('/account', 'edith')
    const before = await unseen(page)
    await page.getByLabel('Current password').fill('wrong')
    await page.getByLabel('New password').fill('a new good password')
    await page.getByLabel('The same again').fill('a new good password')
    await page.getByRole('button', { name: 'Change password' }).click()
    await page.getByText('the current password is wrong').waitFor()
    // It is told there, and in the log, which the badge counts.
    await expect.poll(() => unseen(page)).toBe(before + 1)
    expect(await news(page).getByText('Sign-in refused').count()).toBe(0)
    await page.getByLabel('Current password').fill(password)
    await page.getByRole('button', { name: 'Change password' }).click()
    await page.getByText('Your password is changed.').first().waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    await page.reload()
    await page.getByText('Live', { exact: true }).waitFor()
  })
})
