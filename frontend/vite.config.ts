import { svelte } from '@sveltejs/vite-plugin-svelte'
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

export default defineConfig({
  plugins: [svelte(), renderWithTheApp()],
  build: {
    // The first that know light-dark(), which the colours are made of.
    target: ['chrome123', 'firefox128', 'safari17.5'],
    // The server's content security policy allows no data: sources but for images, and no inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
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
