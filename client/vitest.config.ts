import { defineConfig } from 'vitest/config'

// One file after the other: each starts a service of its own, and a browser.
export default defineConfig({
  test: { fileParallelism: false, testTimeout: 30_000, hookTimeout: 60_000, include: ['test/**/*.test.{ts,tsx}'] },
})
