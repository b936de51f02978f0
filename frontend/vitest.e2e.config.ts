import { configDefaults, defineConfig } from 'vitest/config'

// What acts on a host wants one of its own: a server named by TOPDECK_URL, on a real systemd. The rest starts the built
// binary named by TOPDECK_BIN. Both are driven in a real Chromium.
const acting = process.env.TOPDECK_URL !== undefined
const onHost = ['e2e/acts.spec.ts', 'e2e/questions.spec.ts']

export default defineConfig({
  test: {
    include: acting ? onHost : ['e2e/**/*.spec.ts'],
    exclude: [...configDefaults.exclude, ...(acting ? [] : onHost)],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
    fileParallelism: false,
  },
})
