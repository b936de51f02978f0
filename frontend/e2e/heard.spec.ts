import type { BrowserContextOptions, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { phone } from './browser'
import { staged as play, usePages } from './use'
import { operation, process as processRow, service } from './world'
import type { World } from './world'
import type { Service } from '../src/lib/wire.gen'

// What is read out to whoever hears the page: all that live regions say, from the time it is listened to.

const pages = await usePages()

async function staged(
  path: string,
  part: Partial<World> = {},
  options: BrowserContextOptions = {},
) {
  const { page, stage } = await play(pages, path, part, options)
  await page.getByText('Live', { exact: true }).waitFor()
  await listen(page)
  return { page, stage }
}

interface Listening {
  spoken: string[]
}

function listen(page: Page) {
  return page.evaluate(() => {
    const regions = '[role=status], [role=alert], [role=log], [aria-live]'
    const spoken: string[] = []
    ;(window as unknown as Listening).spoken = spoken
    const hear = (node: Node) => {
      const at = node instanceof Element ? node : node.parentElement
      const within = node instanceof Element ? [...node.querySelectorAll(regions)] : []
      const said = at?.closest(regions) ? [node] : within
      for (const { textContent } of said) if (textContent) spoken.push(textContent.trim())
    }
    new MutationObserver((changes) => {
      for (const { type, target, addedNodes } of changes)
        for (const node of type === 'characterData' ? [target] : addedNodes) hear(node)
    }).observe(document, { subtree: true, childList: true, characterData: true })
  })
}

const spoken = (page: Page) => page.evaluate(() => (window as unknown as Listening).spoken)

/** An act of the one who hears. */
const act = (id: number, part: Parameters<typeof operation>[1]) =>
  operation(id, { logType: 'service.restart', logStatus: 'new', ...part })

const done = { retStatus: 'succeeded', message: 'succeeded' } as const

describe.each([
  ['a desk', {}],
  ['a phone', phone],
] as const)('on %s', (_, options) => {
  it.each(['/', '/processes', '/services', '/log'])(
    'what goes on by itself, and what others do, is not read out on %s',
    async (path) => {
      const { page, stage } = await staged(path, {}, options)
      for (let tick = 0; tick < 30; tick++) {
        const busy = processRow(2)
        stage.push('processes', [{ ...busy, cpuPercent: tick }], [], [])
        stage.push('services', [{ ...service(0), memory: 1e6 * tick, mainPid: 900 + tick }])
        stage.summary({ ...stage.world.summary, load: [tick, 1, 1] })
        const theirs = { actor: 'grace', target: 'cron.service' }
        stage.tell(act(100 + tick, { ...theirs, retStatus: 'running', message: '' }), 10 + tick)
        stage.tell(act(100 + tick, { ...theirs, ...done }), 11 + tick)
      }
      // The last of it has come.
      await expect.poll(() => page.title()).toContain('(40)')
      expect(await spoken(page)).toEqual([])
    },
  )

  it('each end is read out once, though many come at once and two are alike', async () => {
    const { page, stage } = await staged('/services', {}, options)
    const ids = Array.from({ length: 9 }, (_, i) => 100 + i)
    const target = (id: number) => (id % 2 ? 'nginx.service' : `unit-${id}.service`)
    for (const id of ids)
      stage.tell(act(id, { target: target(id), retStatus: 'running', message: '' }), 3)
    for (const id of ids) stage.tell(act(id, { target: target(id), ...done }), 3)
    const news = ids.map((id) => `Restart service: ${target(id)}. succeeded`)
    await expect.poll(() => spoken(page)).toEqual(news)
    // What is told already is not told again in another language.
    await page.getByRole('button', { name: 'You and your settings' }).click()
    await page.getByLabel('Language').selectOption('zh')
    await page.getByRole('heading', { name: '服务' }).waitFor()
    expect(await spoken(page)).toEqual(news)
  })
})

it('whoever guesses passwords is read out once, however long they do', async () => {
  const { page, stage } = await staged('/')
  const denied = { logType: 'session.denied', actor: '', retStatus: 'failed' } as const
  for (let id = 100; id < 120; id++) stage.tell(act(id, { ...denied, target: `name-${id}` }), id)
  const news = page.getByRole('region', { name: 'News' })
  await news.getByText('name-119').waitFor()
  expect(await news.getByRole('listitem').count()).toBe(1)
  expect(await spoken(page)).toEqual([
    expect.stringMatching(/^Sign-in refused: name-\d+\. failed\./),
  ])
})

/** Time passes only as the test says. */
async function stopTheClock(page: Page) {
  await page.clock.install()
  await page.clock.pauseAt(Date.now() + 3_600_000)
}

it('what takes a while is read out when it runs, and when it ends, with the reason', async () => {
  const { page, stage } = await staged('/services')
  await stopTheClock(page)
  const of = { target: 'nginx.service' }
  stage.tell(act(100, { ...of, retStatus: 'running', message: '' }), 3)
  const news = page.getByRole('region', { name: 'News' })
  await news.getByText('running').waitFor()
  expect(await spoken(page)).toEqual([])
  await page.clock.runFor(1_000)
  expect(await spoken(page)).toEqual(['Restart service: nginx.service. running'])
  stage.tell(act(100, { ...of, retStatus: 'failed', message: 'the disk is full' }), 3)
  await news.getByText('the disk is full').waitFor()
  const last = 'Restart service: nginx.service. failed. the disk is full'
  expect((await spoken(page)).slice(1)).toEqual([last])
})

it.each([
  ['en-GB', 'nginx.service: failed: exit status 3', '9 services have failed: cron.service, '],
  ['zh-CN', 'nginx.service：失败：退出码 3', '9 个服务已失败：cron.service, '],
])(
  'a service that fails by itself is read out once, and many together, in %s',
  async (locale, one, many) => {
    const services = ['nginx', 'ssh', 'cron', 'db', 'web', 'a', 'b', 'c', 'd', 'e', 'f'].map(
      (name): Service => ({ ...service(0), name: `${name}.service` }),
    )
    const { page, stage } = await play(pages, '/services', { services }, { locale })
    await page.getByText('nginx.service').first().waitFor()
    await listen(page)
    await stopTheClock(page)
    const fails = (all: Service[]) =>
      stage.push(
        'services',
        all.map((s) => ({
          ...s,
          activeState: 'failed',
          subState: 'failed',
          result: 'exit-code',
          exitCode: 3,
        })),
      )
    const seen = (text: string, times: number) =>
      expect.poll(() => page.getByRole('table').getByText(text).count()).toBe(times)
    fails(services.slice(0, 1))
    await seen(locale === 'en-GB' ? 'failed: exit status 3' : '失败：退出码 3', 1)
    expect(await spoken(page)).toEqual([])
    await page.clock.runFor(2_000)
    expect(await spoken(page)).toEqual([one])
    // What somebody restarts has a record that tells.
    stage.tell(act(100, { target: 'ssh.service', retStatus: 'running', message: '' }), 3)
    await page
      .getByRole('region', { name: /News|消息|通知/ })
      .getByText('ssh.service')
      .waitFor()
    fails(services.slice(1))
    await seen(locale === 'en-GB' ? 'failed: exit status 3' : '失败：退出码 3', 10)
    await page.clock.runFor(20_000)
    const quiet = (await spoken(page)).filter((text) => !text.includes('ssh.service'))
    expect(quiet).toEqual([one])
    await page.clock.runFor(20_000)
    const said = (await spoken(page)).filter((text) => !text.includes('ssh.service'))
    expect(said).toEqual([one, expect.stringContaining(many)])
  },
)

it('a lost connection is read out once, however often it is tried, and that it is back', async () => {
  const { page, stage } = await staged('/processes')
  await stage.down()
  const again = page.getByRole('button', { name: 'Try now' })
  for (let tries = 0; tries < 4; tries++) await again.click()
  await page.getByText('The server was stopped, or restarts.').first().waitFor()
  for (let tries = 0; tries < 4; tries++) await again.click()
  stage.up = true
  await again.click()
  await page.getByText('Live', { exact: true }).waitFor()
  const said = await spoken(page)
  expect(said.filter((text) => text === 'The server was stopped, or restarts.')).toHaveLength(1)
  expect(new Set(said).size).toBe(said.length)
  expect(said.at(-1)).toBe('The connection is back.')
})

it.each([
  ['/processes', 'no row has this', 'Nothing matches the search.'],
  ['/processes', 'cpu!50 and more', 'cannot read the query: ! is no operator'],
  ['/log', 'nginx', '40 records'],
])(
  'what comes of a search of %s for %j is read out when no more is typed',
  async (path, q, said) => {
    const { page } = await staged(path)
    await page.getByRole('table').getByRole('rowheader').first().waitFor()
    await stopTheClock(page)
    await page.getByRole('searchbox').focus()
    for (const key of q) {
      await page.keyboard.press(key)
      await page.clock.runFor(200)
    }
    await expect.poll(() => new URL(page.url()).searchParams.get('q')).toBe(q)
    await page
      .getByText(path === '/log' ? said : /^(Nothing matches|cannot read the query)/)
      .first()
      .waitFor()
    expect(await spoken(page)).toEqual([])
    const later = async () => {
      await page.clock.runFor(1_000)
      return spoken(page)
    }
    await expect.poll(later).toEqual([said])
  },
)

it('a list that is frozen by its key says so, and that it goes on', async () => {
  const { page } = await staged('/processes')
  await page.keyboard.press('f')
  await expect.poll(() => spoken(page)).toEqual([expect.stringMatching(/^Frozen: /)])
  await page.keyboard.press('f')
  await expect.poll(() => spoken(page)).toEqual([expect.anything(), 'The list goes on.'])
})
