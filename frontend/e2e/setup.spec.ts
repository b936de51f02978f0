import { describe, expect, it } from 'vitest'
import { axe } from './browser'
import { password, Server } from './server'
import { usePages, useServer } from './use'

const server = await useServer(Server.start())
const pages = await usePages()

describe('a server without accounts', () => {
  it('says so, and how one sets it up', async () => {
    const page = await pages.open()
    await page.goto(server.url)
    await page.getByRole('heading', { name: 'Not set up yet' }).waitFor()
    expect(await axe(page)).toEqual([])
  })

  it('refuses a wrong token, and says what to do', async () => {
    const page = await pages.open()
    await page.goto(`${server.url}/setup#token=WRONG`)
    await page.getByLabel('User name').fill('ada')
    await page.getByLabel('New password').fill(password)
    await page.getByLabel('The same again').fill(password)
    await page.getByRole('button', { name: 'Create administrator' }).click()
    await page.getByText('exactly as the server printed it').waitFor()
    expect(await page.getByRole('alert').innerText()).toContain('token is wrong')
  })

  it('is set up by its URL: the token leaves the address at once, the rules are told, and one is signed in', async () => {
    const page = await pages.open()
    await page.goto(await server.setupUrl())
    await page.getByRole('heading', { name: 'Set up topdeck' }).waitFor()
    expect(page.url()).toBe(`${server.url}/setup`)
    expect(await axe(page)).toEqual([])

    await page.getByLabel('User name').fill('Ada!')
    await page.getByLabel('New password').fill('short')
    await page.getByLabel('The same again').fill('shorter')
    await page.getByRole('button', { name: 'Create administrator' }).click()
    for (const [label, rule] of [
      ['User name', 'Lower-case letters'],
      ['New password', '12 to 256 characters'],
      ['The same again', 'not the same'],
    ] as const) {
      const field = page.getByLabel(label)
      expect(await field.getAttribute('aria-invalid')).toBe('true')
      const hint = await field.getAttribute('aria-describedby')
      expect(await page.locator(`[id="${hint}"]`).innerText()).toContain(rule)
    }

    await page.getByLabel('User name').fill('ada')
    await page.getByLabel('New password').fill(password)
    await page.getByLabel('The same again').fill(password)
    await page.getByRole('button', { name: 'Create administrator' }).click()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    expect(new URL(page.url()).pathname).toBe('/')
  })

  it('is set up once: the URL then leads to the sign-in page', async () => {
    const page = await pages.open()
    await page.goto(`${server.url}/setup#token=USED`)
    await page.getByText('set up already').waitFor()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })
})

describe('signing in', () => {
  it('asks for nothing that is refused', async () => {
    const page = await pages.open()
    const answers: string[] = []
    page.on('response', (answer) => answers.push(`${answer.status()} ${answer.url()}`))
    await page.goto(server.url)
    await page.getByLabel('User name').waitFor()
    expect(answers).toContain(`200 ${server.url}/api/v1/entry`)
    expect(answers.filter((answer) => !answer.startsWith('200 '))).toEqual([])
  })

  it('counts in another tab, until the session ends', async () => {
    const page = await pages.open()
    await server.signIn(page.context())
    await page.goto(server.url)
    await page.getByText('Live', { exact: true }).waitFor()
    const other = await page.context().newPage()
    await other.goto(server.url)
    await other.getByText('Live', { exact: true }).waitFor()
    await page.context().clearCookies()
    await other.reload()
    await other.getByLabel('User name').waitFor()
  })

  it('refuses a wrong password in words, and clears it', async () => {
    const page = await pages.open()
    await page.goto(server.url)
    await page.getByLabel('User name').fill('ada')
    await page.getByLabel('Password').fill('not the password')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('The user name or the password is wrong.').waitFor()
    expect(await page.getByLabel('Password').inputValue()).toBe('')
    expect(await axe(page)).toEqual([])
  })

  it('leads to where one wanted to go, and out again', async () => {
    const page = await pages.open()
    await page.goto(`${server.url}/processes?q=topdeck`)
    await page.getByLabel('User name').fill('ada')
    await page.getByLabel('Password').fill(password)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Processes' }).waitFor()
    expect(await page.getByRole('searchbox').inputValue()).toBe('topdeck')

    await page.getByRole('button', { name: 'You and your settings' }).click()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.reload()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })
})
