import type { BrowserContextOptions, Page } from 'playwright-core'
import { afterEach, expect } from 'vitest'
import { usePages } from './use'

// The tests of acts.spec.ts and questions.spec.ts are against a server on a systemd of its own, told by the environment:
// TOPDECK_URL, the accounts TOPDECK_ADMIN, TOPDECK_OPERATOR and TOPDECK_VIEWER, and TOPDECK_PASSWORD of all three. The
// services that are acted on:
//
//   acts-sleep.service    runs, and nothing hangs on it
//   acts-fail.service     ends with status 3, and says "cannot open /etc/acts.conf" on stderr
//   acts-late.service     is started at once (Type=simple), and ends with status 3 after 3 s, saying "port 80 is taken"
//   acts-slow.service     takes some seconds to start (Type=notify)
//   acts-base.service     runs; acts-top.service runs too and requires it
//   acts-never.service    never gets ready (Type=notify)
//   acts-chatty.service   runs, and writes "tick" and a number, sixty times and then each second, now and then with <3> before it
//   acts-again.service    runs; Restart=always

export const url = process.env.TOPDECK_URL ?? ''
const password = process.env.TOPDECK_PASSWORD ?? ''
const names = {
  admin: process.env.TOPDECK_ADMIN ?? 'ada',
  operator: process.env.TOPDECK_OPERATOR ?? 'oscar',
  viewer: process.env.TOPDECK_VIEWER ?? 'vera',
}

type Visit = (
  role: keyof typeof names,
  path: string,
  options?: BrowserContextOptions,
) => Promise<Page>

/** Opens pages of that server for the tests of one file. */
export async function useHost(): Promise<Visit> {
  const pages = await usePages()
  // An operator's log that is left open marks what comes as seen, whatever the next test counts.
  afterEach(() => pages.leave())
  const cookies = new Map<string, Awaited<ReturnType<ReturnType<Page['context']>['cookies']>>>()
  return async (role, path, options = {}) => {
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
}

export const panel = (page: Page, name: string) => page.getByRole('complementary', { name })
