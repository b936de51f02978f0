import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import subsetFont from 'subset-font'
import { defineConfig } from 'vite'
import type { Plugin } from 'vite'

// The first paint waits for the app, so that a chosen theme does not flash the other one first. Vite writes the
// script's tag anew at build time, so the attribute is added after it.
function renderWithTheApp(): Plugin {
  return {
    name: 'render-with-the-app',
    transformIndexHtml: {
      order: 'post',
      handler: (html) =>
        html.replace('<script type="module"', '<script type="module" blocking="render"'),
    },
  }
}

const font = '@fontsource-variable/ibm-plex-sans/files/ibm-plex-sans-latin-wght-normal.woff2'
/** What app.css names; its unicode-range there is that of the characters here. */
const fontFolder = 'node_modules/.cache/topdeck'

/** Of the typeface only what an app of plain words and figures writes with: a third of its size. */
function subsetTheFont(): Plugin {
  return {
    name: 'subset-the-font',
    async buildStart() {
      const ascii = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i))
      const options = {
        targetFormat: 'woff2' as const,
        variationAxes: { wght: { min: 400, max: 600 } },
        noLayoutClosure: true,
        noHinting: true, // which its types do not know
      }
      const text = [...ascii, '\u00a0°±·×–—‘’“”•…−'].join('')
      const part = await subsetFont(readFileSync(join('node_modules', font)), text, options)
      mkdirSync(fontFolder, { recursive: true })
      writeFileSync(join(fontFolder, 'plex-sans.woff2'), part)
    },
  }
}

type Shape = [tag: string, attributes: Record<string, string>]

/** Lucide's icons work out each of their attributes where they are shown, and a bar of them takes longer than the page under it. Ours differ in their size only: each is made plain markup. */
function plainIcons(): Plugin {
  return {
    name: 'plain-icons',
    enforce: 'pre',
    transform(code, id) {
      if (!/@lucide.svelte.dist.icons.[\w-]+\.svelte$/.test(id)) return
      const data = /const iconData = (.*);/.exec(code)?.[1]
      if (!data) this.error(`cannot find the shapes of ${id}`)
      const { node } = JSON.parse(data) as { node: Shape[] }
      const shapes = node.map(([tag, attributes]) => {
        const written = Object.entries(attributes).map(([name, value]) => `${name}="${value}"`)
        return `<${tag} ${written.join(' ')}/>`
      })
      return `<script>const { size } = $props()</script>
<svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${shapes.join('')}</svg>`
    },
  }
}

/** As soon as it is loaded uPlot makes what formats numbers and finds the time zone, which takes as long as drawing a graph. Ours ask for neither. */
function plotWithoutIntl(): Plugin {
  const needless: [string, string][] = [
    ["new Intl.NumberFormat(domEnv ? nav.language : 'en-US')", '{ format: String }'],
    ['new Intl.DateTimeFormat().resolvedOptions().timeZone', "''"],
  ]
  return {
    name: 'plot-without-intl',
    transform(code, id) {
      if (!id.endsWith('uPlot.esm.js')) return
      for (const [text, instead] of needless) {
        if (!code.includes(text)) this.error(`cannot find in uPlot: ${text}`)
        code = code.replace(text, instead)
      }
      return { code, map: null }
    },
  }
}

/** What compresses well lies beside itself as Brotli, which is too slow to be made while somebody waits. */
function brotli(): Plugin {
  return {
    name: 'brotli',
    apply: 'build',
    writeBundle({ dir = 'dist' }) {
      for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
        if (!/\.(js|css|html|svg)$/.test(name)) continue
        const text = readFileSync(join(dir, name))
        const params = {
          [constants.BROTLI_PARAM_QUALITY]: 11,
          [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
        }
        writeFileSync(join(dir, `${name}.br`), brotliCompressSync(text, { params }))
      }
    },
  }
}

export default defineConfig({
  plugins: [
    subsetTheFont(),
    plainIcons(),
    svelte(),
    plotWithoutIntl(),
    renderWithTheApp(),
    brotli(),
  ],
  build: {
    // The first that know light-dark(), which the colours are made of.
    target: ['chrome123', 'firefox128', 'safari17.5'],
    // The server's content security policy allows no data: sources but for images, and no inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // One style sheet, a few hundred bytes larger: one of a page's own that cannot be fetched would leave an error behind.
    cssCodeSplit: false,
  },
  server: {
    host: '127.0.0.1',
    // `npm run dev` beside `topdeck serve`: the API is the real one, seen under its own host and origin.
    proxy: {
      '/api': {
        target: process.env.TOPDECK_URL ?? 'http://127.0.0.1:7373',
        ws: true,
        changeOrigin: true,
        configure: (proxy) => {
          const origin = process.env.TOPDECK_URL ?? 'http://127.0.0.1:7373'
          proxy.on('proxyReq', (request) => request.setHeader('Origin', origin))
          proxy.on('proxyReqWs', (request) => request.setHeader('Origin', origin))
        },
      },
    },
  },
})
