import type { BrowserContextOptions, Locator, Page } from 'playwright-core'
import { afterEach, describe, expect, it } from 'vitest'
import { axe, phone } from './browser'
import { usePages } from './use'

// Against a server on a systemd of its own, told by the environment: TOPDECK_URL, the accounts TOPDECK_ADMIN,
// TOPDECK_OPERATOR and TOPDECK_VIEWER, and TOPDECK_PASSWORD of all three. The services that are acted on:
//
//   acts-sleep.service    runs, and nothing hangs on it
//   acts-fail.service     ends with status 3, and says "cannot open /etc/acts.conf" on stderr
//   acts-late.service     is started at once (Type=simple), and ends with status 3 after 3 s, saying "port 80 is taken"
//   acts-slow.service     takes some seconds to start (Type=notify)
//   acts-base.service     runs; acts-top.service runs too and requires it
//   acts-never.service    never gets ready (Type=notify)
//   acts-chatty.service   runs, and writes "tick" and a number each second, now and then with <3> before it
//   acts-again.service    runs; Restart=always

const url = process.env.TOPDECK_URL ?? ''
const password = process.env.TOPDECK_PASSWORD ?? ''
const names = {
  admin: process.env.TOPDECK_ADMIN ?? 'ada',
  operator: process.env.TOPDECK_OPERATOR ?? 'oscar',
  viewer: process.env.TOPDECK_VIEWER ?? 'vera',
}

const pages = await usePages()
// An operator's log that is left open marks what comes as seen, whatever the next test counts.
afterEach(() => pages.leave())
const cookies = new Map<string, Awaited<ReturnType<ReturnType<Page['context']>['cookies']>>>()

async function as(
  role: keyof typeof names,
  path: string,
  options: BrowserContextOptions = {},
): Promise<Page> {
  const page = await pages.open(options)
  const context = page.context()
  const known = cookies.get(role)
  if (known) await context.addCookies(known)
  else {
    const answer = await context.request.post(`${url}/api/v1/session`, {
      headers: { Origin: url },
      data: { username: names[role], password },
    })
    expect(answer.status()).toBe(200)
    cookies.set(role, await context.cookies())
  }
  await page.goto(url + path)
  await page.getByText('Live', { exact: true }).waitFor()
  return page
}

const news = (page: Page) => page.getByRole('region', { name: 'News' })
const panel = (page: Page, name: string) => page.getByRole('complementary', { name })
const row = (page: Page, name: string) =>
  page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) })

async function choose(page: Page, of: string, item: string) {
  await page.getByRole('button', { name: `Actions: ${of}`, exact: true }).click()
  await page.getByRole('menuitem', { name: item, exact: true }).click()
}

describe('a service', () => {
  it('is restarted by two clicks, and one toast tells of it from its begin to its end', async () => {
    const page = await as('operator', '/services?q=acts-sleep')
    const before = await row(page, 'acts-sleep.service').innerText()
    await choose(page, 'acts-sleep.service', 'Restart')
    await news(page).getByText('Restart service: acts-sleep.service').waitFor()
    await news(page).getByText('succeeded').waitFor()
    expect(await news(page).getByRole('listitem').count()).toBe(1)
    await expect.poll(() => row(page, 'acts-sleep.service').innerText()).not.toBe(before)
    await row(page, 'acts-sleep.service').getByText('active (running)').waitFor()
  })

  it('that fails says why, in the toast and in its record', async () => {
    const page = await as('operator', '/services?q=acts-fail')
    await choose(page, 'acts-fail.service', 'Start')
    await news(page).getByText('cannot open /etc/acts.conf').waitFor()
    expect(await axe(page)).toEqual([])
    await news(page).getByRole('link', { name: 'Open record' }).click()
    await panel(page, 'Record').getByText('cannot open /etc/acts.conf').first().waitFor()
    const record = panel(page, 'Record')
    await record.getByText('service.start').waitFor()
    await record.getByText('exit-code (a process failed)').waitFor()
    expect(await axe(page)).toEqual([])
    await record.getByRole('button', { name: 'Do it again' }).click()
    await news(page).getByText('cannot open /etc/acts.conf').waitFor()
    expect(await news(page).getByRole('listitem').count()).toBe(1)
    await page.goBack()
    await row(page, 'acts-fail.service').getByText('failed: exit status 3').waitFor()
    await page.getByRole('link', { name: 'acts-fail.service', exact: true }).click()
    const reason = panel(page, 'Service').getByRole('region', { name: 'Failed' })
    await reason.getByText('cannot open /etc/acts.conf').waitFor()
    expect(await axe(page)).toEqual([])
  })

  it('that was started and then fails is told of again, to who started it, with the reason', async () => {
    const one = await as('operator', '/services?q=acts-late')
    const other = await as('viewer', '/services?q=acts-late')
    await choose(one, 'acts-late.service', 'Start')
    const told = news(one).getByRole('listitem').filter({ hasText: 'Service failed later' })
    await told.getByText('exit status 3: port 80 is taken').waitFor()
    expect(await news(other).getByRole('listitem').count()).toBe(0)
    await told.getByRole('link', { name: 'Open record' }).click()
    const record = panel(one, 'Record')
    await record.getByText('service.failed').waitFor()
    expect(await axe(one)).toEqual([])
    // Which act that was is one step away.
    await record.getByRole('link', { name: /\(service\.start\)$/ }).click()
    await record.getByText('it is active (running)', { exact: true }).waitFor()
    await other.goto(`${url}/log?q=${encodeURIComponent('logType:service.failed')}`)
    await other.getByText('acts-late.service').first().waitFor()
    expect(await other.getByText('port 80').count()).toBe(0)
  })

  it('that takes for ever is cancelled from its toast', async () => {
    const page = await as('admin', '/services?q=acts-never')
    await choose(page, 'acts-never.service', 'Start')
    await news(page).getByText('running').waitFor()
    await news(page).getByRole('button', { name: 'Cancel it' }).click()
    await news(page).getByText('failed', { exact: true }).waitFor()
    expect(await news(page).getByRole('listitem').count()).toBe(1)
    await choose(page, 'acts-never.service', 'Stop')
    await row(page, 'acts-never.service')
      .getByText(/^inactive|^failed/)
      .waitFor()
  })

  it('that takes its time shows it to everybody, and tells who did it only', async () => {
    const one = await as('operator', '/services?q=acts-slow')
    const other = await as('viewer', '/services?q=acts-slow')
    const badge = () => other.getByRole('link', { name: /^Log/ }).innerText()
    const before = await badge()
    await choose(one, 'acts-slow.service', 'Start')
    await row(other, 'acts-slow.service').getByText('Start service').waitFor()
    await row(one, 'acts-slow.service').getByText('Start service').waitFor()
    await news(one).getByText('running').waitFor()
    await news(one).getByText('succeeded').waitFor()
    await row(other, 'acts-slow.service').getByText('active (running)').waitFor()
    expect(await news(other).getByRole('listitem').count()).toBe(0)
    expect(await badge()).not.toBe(before)
    await choose(one, 'acts-slow.service', 'Stop')
    await row(one, 'acts-slow.service').getByText('inactive').waitFor()
  })

  it('that others need is not stopped before one knows which', async () => {
    const page = await as('operator', '/services?q=acts-')
    await choose(page, 'acts-base.service', 'Stop')
    const dialog = page.getByRole('dialog', { name: 'Stop: acts-base.service' })
    await dialog.getByText('acts-top.service').waitFor()
    expect(await axe(page)).toEqual([])
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await row(page, 'acts-base.service').getByText('active (running)').waitFor()
    await choose(page, 'acts-base.service', 'Stop')
    await dialog.getByRole('button', { name: 'Stop', exact: true }).click()
    await row(page, 'acts-top.service').getByText('inactive').waitFor()
    await choose(page, 'acts-top.service', 'Start')
    await row(page, 'acts-base.service').getByText('active (running)').waitFor()
  })

  it('that the host stands on is stopped only by its name', async () => {
    const page = await as('operator', '/services?q=dbus.service')
    await choose(page, 'dbus.service', 'Stop')
    const dialog = page.getByRole('dialog', { name: 'Stop: dbus.service' })
    const stop = dialog.getByRole('button', { name: 'Stop', exact: true })
    expect(await stop.isDisabled()).toBe(true)
    const field = dialog.getByLabel('Type dbus.service to go on')
    await field.fill('dbus-broker')
    expect(await stop.isDisabled()).toBe(true)
    await field.fill('dbus')
    expect(await stop.isDisabled()).toBe(false)
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    expect(await news(page).getByRole('listitem').count()).toBe(0)
  })

  it('is acted on by its exact name in the form; a wrong one is told at once', async () => {
    const page = await as('operator', '/services')
    const form = page.getByRole('form', { name: 'Act on a service' })
    expect(await form.getByLabel('Or a command').count()).toBe(0)
    await form.getByLabel('Service', { exact: true }).fill('acts-slee')
    await form.getByRole('radio', { name: 'Start', exact: true }).check()
    await form.getByRole('button', { name: 'Do it' }).click()
    await news(page).getByText('names must be exact').waitFor()
    await form.getByLabel('Service', { exact: true }).fill('acts-sleep')
    await form.getByRole('radio', { name: 'Restart' }).check()
    await form.getByRole('button', { name: 'Do it' }).click()
    await news(page).getByText('Restart service: acts-sleep.service').waitFor()
  })

  it('has its journal followed, held, filtered and searched', async () => {
    const page = await as('operator', '/services?open=acts-chatty.service')
    const journal = panel(page, 'Service').getByRole('region', { name: 'Journal' })
    const lines = journal.getByRole('listitem')
    await lines.first().waitFor()
    const before = await lines.last().innerText()
    await expect.poll(() => lines.last().innerText(), { timeout: 10_000 }).not.toBe(before)
    expect(await axe(page)).toEqual([])
    await journal.getByRole('button', { name: 'Pause' }).click()
    await journal.getByRole('button', { name: /Go on \([1-9]/ }).waitFor()
    await journal.getByRole('button', { name: /Go on/ }).click()
    const all = await lines.count()
    await journal.getByLabel('Priority').selectOption({ label: 'up to error' })
    await expect.poll(() => lines.count()).toBeLessThan(all)
    await journal.getByLabel('Search the journal').fill('no line has this')
    await journal.getByText('Nothing matches the search.').waitFor()
    await page.keyboard.press('Escape')
    await lines.first().waitFor()
    await page.keyboard.press('Escape')
    await panel(page, 'Service').waitFor({ state: 'detached' })
  })
})

describe('a process', () => {
  it('is signalled by its exact name, and its service offered to be stopped', async () => {
    const page = await as('admin', '/processes?q=unit:acts-again')
    const list = page.getByRole('table', { name: 'Processes' })
    const more = list.getByRole('button', { name: /^Actions: \d+ / })
    const name = (await more.first().getAttribute('aria-label')) ?? ''
    await more.first().click()
    await page.getByRole('menuitem', { name: /SIGTERM/ }).click()
    const dialog = page.getByRole('dialog', { name: 'Send SIGTERM' })
    await dialog.getByText(`To process ${/\d+/.exec(name)?.[0]}`).waitFor()
    await dialog.getByRole('button', { name: 'Stop acts-again.service instead' }).waitFor()
    expect(await axe(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Send SIGTERM' }).click()
    await news(page).getByText('sent SIGTERM').waitFor()
    // Its manager starts it again: as another process.
    await expect.poll(() => more.first().getAttribute('aria-label')).not.toBe(name)
  })

  it('tells of itself, and leads to its service', async () => {
    // What its shell starts is called sh too for a moment, until it is another program.
    const page = await as('operator', '/processes?q=unit:acts-chatty&sort=pid&order=asc')
    const menu = page.getByRole('button', { name: /^Actions: \d+ sh/ })
    await menu.first().click()
    await page.getByRole('menuitem').first().waitFor()
    expect(await page.getByRole('menuitem', { name: /SIG/ }).count()).toBe(0)
    await page.keyboard.press('Escape')
    await page.getByRole('link', { name: 'sh', exact: true }).first().click()
    const process = panel(page, 'Process')
    await process.getByText('Program file').waitFor()
    expect(await axe(page)).toEqual([])
    await process.getByRole('figure').first().waitFor()
    await process.getByText('Limits', { exact: true }).click()
    await process.getByText('Max open files').waitFor()
    await process.getByRole('link', { name: 'acts-chatty.service' }).click()
    const service = panel(page, 'Service')
    await service.getByText('Running').first().waitFor()
    await service.getByRole('link', { name: /^\d+ sh$/ }).click()
    await process.getByText('Program file').waitFor()
    await page.goBack()
    await service.waitFor()
    await page.goBack()
    await process.waitFor()
  })

  it('tells that it has ended, and keeps what was known of it', async () => {
    const page = await as('admin', '/processes?q=unit:acts-again')
    await page.getByRole('link', { name: 'sleep', exact: true }).first().click()
    const process = panel(page, 'Process')
    await process.getByRole('button', { name: 'KILL' }).click()
    const dialog = page.getByRole('dialog', { name: 'Send SIGKILL' })
    await dialog.getByRole('button', { name: 'Send SIGKILL' }).click()
    await process.getByText('This process has ended.').waitFor()
    await process.getByText('Program file').waitFor()
    expect(await process.getByRole('button', { name: 'KILL' }).count()).toBe(0)
  })
})

describe('the log', () => {
  it('is narrowed down to whoever did it and to an hour, and exported so', async () => {
    const page = await as('admin', '/log')
    const day = page.getByRole('region', { name: 'Last 24 hours' })
    await day.getByText(/\d acts, \d+ of them failed; \d+ other records?$/).waitFor()
    const hour = day.getByRole('link').last()
    const q = () => new URL(page.url()).searchParams.get('q')
    await hour.click()
    await expect.poll(q).toMatch(/^time>=\S+ time</)
    await page.getByRole('table', { name: 'Log' }).getByRole('link').first().waitFor()
    await hour.click()
    await expect.poll(q).toBeNull()
    await page.getByLabel('By', { exact: true }).selectOption('operator')
    await page.getByLabel('Type', { exact: true }).selectOption('service.restart')
    await expect.poll(() => page.getByRole('link', { name: 'Signed in' }).count()).toBe(0)
    expect(await axe(page)).toEqual([])
    const href = await page
      .getByRole('link', { name: 'Export as NDJSON, as filtered' })
      .getAttribute('href')
    const text = await (await page.request.get(url + (href ?? ''))).text()
    const records = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { actor: string; logType: string })
    expect(records.length).toBeGreaterThan(0)
    for (const { actor, logType } of records)
      expect([actor, logType]).toEqual(['operator', 'service.restart'])
  })
})

describe('a command', () => {
  it('streams its output in colours and nothing else, goes on without its page, and is cancelled', async () => {
    const page = await as('admin', '/services')
    const form = page.getByRole('form', { name: 'Act on a service' })
    const script = 'printf "\\033[31mred\\033[0m <b>plain</b>\\n\\033]0;t\\007"; sleep 100'
    await form.getByLabel('Or a command').fill(`sh -c '${script}'`)
    await form.getByRole('button', { name: 'Run' }).click()
    const output = page.getByRole('region', { name: 'Output' })
    await output.getByText('red', { exact: true }).waitFor()
    expect(await output.getByRole('listitem').first().innerText()).toBe('red <b>plain</b>')
    expect(await axe(page)).toEqual([])
    await page.goto(url + '/log')
    await page.getByRole('link', { name: 'Run command' }).first().click()
    await output.getByText('red', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Cancel it' }).click()
    await panel(page, 'Record').getByText('was canceled').waitFor()
    await output.getByText('red', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Do it again' }).click()
    const dialog = page.getByRole('dialog', { name: 'Run this command again?' })
    await dialog.getByText(script).waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    expect(await page.getByRole('button', { name: 'Cancel it' }).count()).toBe(0)
    await page.goto(url + '/services')
    const field = page.getByLabel('Or a command')
    await field.focus()
    const remembered = () =>
      field.evaluate((input: HTMLInputElement) =>
        [...(input.list?.options ?? [])].map(({ value }) => value),
      )
    await expect.poll(remembered).toContain(`sh -c '${script}'`)
  })

  it('that cannot be is told at once', async () => {
    const page = await as('admin', '/services')
    await page.getByLabel('Or a command').fill('echo "')
    await page.getByRole('button', { name: 'Run' }).click()
    await news(page).getByText('is not closed').waitFor()
  })
})

describe('the five questions', () => {
  /** Presses keys one after the other; what is longer than a key's name is typed. */
  async function press(page: Page, ...keys: string[]) {
    for (const key of keys)
      if (/^(\w|[/?]|Tab|Enter|ArrowDown)$/.test(key)) await page.keyboard.press(key)
      else await page.keyboard.type(key)
  }
  async function start(page: Page, service: string) {
    const answer = await page.request.post(`${url}/api/v1/services/${service}/actions`, {
      headers: { Origin: url },
      data: { action: 'start' },
    })
    expect(answer.status()).toBe(202)
  }
  /** Has a service end until it is seen: what ends while a page has no connection, that page does not see. */
  const dies = (page: Page, seen: Locator) =>
    expect
      .poll(
        async () => {
          await start(page, 'acts-late.service')
          return seen.count()
        },
        { interval: 4_000, timeout: 40_000 },
      )
      .toBeGreaterThan(0)
  const port = new URL(url || 'http://localhost').port

  it('are answered by keys alone', async () => {
    const page = await as('operator', '/')
    // What is this machine doing: at first sight, and by whom in two keys.
    await page.getByRole('region', { name: 'CPU %' }).waitFor()
    await press(page, 'g', 'p')
    const list = page.getByRole('table', { name: 'Processes' })
    await list.getByRole('columnheader', { name: 'CPU %' }).waitFor()
    await list.getByRole('rowheader').first().waitFor()
    // What just started and died: one more, and it is there when it has happened.
    await press(page, '4')
    await dies(page, list.getByRole('row').filter({ hasText: 'acts-late.service' }))
    // Who holds this port: three keys and its number; three more lead to the process.
    await press(page, 'g', 'n', '/', `port:${port} state:LISTEN`)
    await page.getByText(/^1 of \d+$/).waitFor()
    await press(page, 'Enter', 'ArrowDown', 'Enter')
    await panel(page, 'Process')
      .getByRole('heading', { name: /^topdeck \(/ })
      .waitFor()
    // Why did that fail: five keys.
    await press(page, 'g', 'o')
    await page.getByRole('link', { name: /failed services?$/ }).waitFor()
    await press(page, 'Tab', 'Tab', 'Enter')
    await panel(page, 'Service').getByRole('region', { name: 'Failed' }).waitFor()
    // Who changed what: two keys; all that is known of the last of it is two more.
    await press(page, 'g', 'l')
    await page.getByRole('table', { name: 'Log' }).getByRole('rowheader').first().waitFor()
    await press(page, 'ArrowDown', 'Enter')
    await panel(page, 'Record').getByText('Record', { exact: true }).waitFor()
  })

  it('are answered with the thumb', async () => {
    const page = await as('operator', '/', phone)
    const to = (name: string) =>
      page
        .getByRole('navigation')
        .getByRole('link', { name: new RegExp(`^${name}`) })
        .tap()
    const items = (name: string) =>
      page.getByRole('list', { name, exact: true }).getByRole('listitem')
    await page.getByRole('region', { name: 'CPU %' }).waitFor()
    // Why did that fail: one tap.
    await start(page, 'acts-fail.service')
    await page.getByRole('link', { name: 'acts-fail.service' }).tap()
    const reason = panel(page, 'Service').getByRole('region', { name: 'Failed' })
    await reason.getByText('cannot open /etc/acts.conf').first().waitFor()
    // What is this machine doing: one. What just started and died: one more.
    await to('Processes')
    await items('Processes').first().waitFor()
    await page.getByRole('link', { name: 'Ended' }).tap()
    await dies(page, items('Processes').filter({ hasText: 'acts-late.service' }))
    // Who holds this port: two and its number; a third leads to the process.
    await to('TCP/UDP')
    await page.getByRole('searchbox').tap()
    await page.keyboard.type(`port:${port} state:LISTEN`)
    await expect.poll(() => items('TCP/UDP services').count()).toBe(1)
    await items('TCP/UDP services')
      .getByText(/\d+\/topdeck/)
      .tap()
    await panel(page, 'Process')
      .getByRole('heading', { name: /^topdeck \(/ })
      .waitFor()
    // Who changed what: one, and all that is known of it one more.
    await to('Log')
    await items('Log').first().tap()
    await panel(page, 'Record').getByText('By', { exact: true }).waitFor()
  })
})

describe('a viewer', () => {
  it('sees all of it, and is offered nothing of it', async () => {
    const page = await as('viewer', '/services?q=acts-sleep&open=acts-sleep.service')
    await panel(page, 'Service').getByText('Running').first().waitFor()
    expect(await page.getByRole('button', { name: /^Actions:/ }).count()).toBe(0)
    expect(await page.getByRole('form').count()).toBe(0)
    expect(await page.getByRole('button', { name: 'Restart' }).count()).toBe(0)
    expect(await axe(page)).toEqual([])
  })
})

describe('on a phone', () => {
  it('a service is restarted with the thumb', async () => {
    const page = await as('operator', '/services?q=acts-sleep', phone)
    await page.getByRole('button', { name: 'Actions: acts-sleep.service' }).tap()
    await page.getByRole('menuitem', { name: 'Restart' }).tap()
    await news(page).getByText('succeeded').waitFor()
    expect(await axe(page)).toEqual([])
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
  })
})

describe('by keys alone', () => {
  it('a menu opens, moves, acts, and gives the focus back', async () => {
    const page = await as('operator', '/services?q=acts-sleep')
    const button = page.getByRole('button', { name: 'Actions: acts-sleep.service' })
    await button.focus()
    await page.keyboard.press('Enter')
    const focused = () => page.evaluate(() => (document.activeElement as HTMLElement).innerText)
    await expect.poll(focused).toBe('Restart')
    await page.keyboard.press('ArrowDown')
    await expect.poll(focused).toBe('Stop')
    await page.keyboard.press('ArrowUp')
    expect(await axe(page)).toEqual([])
    await page.keyboard.press('Enter')
    await news(page).getByText('succeeded').waitFor()
    expect(await button.evaluate((element) => element === document.activeElement)).toBe(true)
  })
})
