import axeCore from 'axe-core'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'

const { source } = axeCore

/**
 * Debian's Chromium without its windows, which it draws on all processors for a second each, and without anything that
 * would call home. What is measured is measured in the one that people have.
 */
function launch(args: string[]): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium-headless-shell',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...args,
    ],
  })
}

/** Failed requests are told on the console too; a test that takes the server away expects those. */
const network = /Failed to load resource|net::ERR_|WebSocket connection to/

/** A Chromium for one file of tests; what goes wrong in any of its pages is kept. */
export class Pages {
  readonly faults: string[] = []
  #browser: Browser

  private constructor(browser: Browser) {
    this.#browser = browser
  }

  static async launch(args: string[] = []): Promise<Pages> {
    return new Pages(await launch(args))
  }

  /** A page with cookies and storage of its own. */
  async open(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({
      viewport: { width: 1400, height: 900 },
      locale: 'en-GB',
      reducedMotion: 'reduce',
      ...options,
    })
    context.setDefaultTimeout(15_000)
    const page = await context.newPage()
    page.on('pageerror', (error) => this.faults.push(`uncaught: ${error.message}`))
    page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return
      if (!network.test(message.text())) this.faults.push(`console: ${message.text()}`)
    })
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        // eslint-disable-next-line no-console -- what is on the console is looked at
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
      )
    })
    return page
  }

  /** Closes all pages that are open. */
  async leave() {
    await Promise.all(this.#browser.contexts().map((context) => context.close()))
  }

  async close() {
    await this.#browser.close()
  }
}

/** A phone of 390 by 844. */
export const phone: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  hasTouch: true,
  isMobile: true,
}

/** What axe finds on a page as it stands, in short. */
export async function axe(page: Page): Promise<string[]> {
  await page.evaluate(source)
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import('axe-core') }
    const { violations } = await axe.run({ resultTypes: ['violations'] })
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, any }) => `${id}: ${html.slice(0, 160)} ${any[0]?.message ?? ''}`),
    )
  })
}
