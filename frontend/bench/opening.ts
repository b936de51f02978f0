import { chromium } from 'playwright-core'
import type { Browser } from 'playwright-core'
import { bytesOf, traffic } from '../e2e/traffic'

// How soon the list of services shows in a Chromium that knows nothing of the app yet, and what has come by then, on the
// server at TOPDECK_URL for whom TOPDECK_COOKIE tells: one line of JSON on stdout. Times are in milliseconds, from the
// beginning of the navigation until a row has been painted.

const url = process.env.TOPDECK_URL ?? ''
const [name = '', value = ''] = (process.env.TOPDECK_COOKIE ?? '').split('=')

interface Told {
  tellShown(took: number): void
}

async function open(browser: Browser) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } })
  await context.addCookies([{ name, value, url }])
  const page = await context.newPage()
  // Chromium goes on with its own window for a second or so, on all cores: what it measures is a browser that is open.
  await page.waitForTimeout(2_000)
  const came = await traffic(page)
  let requests = 0
  page.on('request', () => requests++)
  // The page tells by itself: what is waited for by a locator is looked for at every frame, in the page's own time.
  const shown = new Promise<number>((resolve) => void page.exposeFunction('tellShown', resolve))
  await page.addInitScript(() => {
    const painted = () => (window as unknown as Told).tellShown(performance.now())
    const watch = new MutationObserver(() => {
      if (!document.querySelector('tbody a')) return
      watch.disconnect()
      requestAnimationFrame(() => setTimeout(painted))
    })
    watch.observe(document, { childList: true, subtree: true })
  })
  await page.goto(`${url}/services`)
  const figures = {
    took: await shown,
    bytes: bytesOf(came),
    requests,
  }
  await context.close()
  return figures
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})
try {
  // The first one is Chromium's own beginning.
  await open(browser)
  const opened = []
  for (let i = 0; i < Number(process.env.TIMES ?? 5); i++) opened.push(await open(browser))
  const each = (of: 'took' | 'bytes' | 'requests') => opened.map((figures) => figures[of])
  const figures = { took: each('took'), bytes: each('bytes'), requests: each('requests') }
  process.stdout.write(JSON.stringify(figures) + '\n')
} finally {
  await browser.close()
}
