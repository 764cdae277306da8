import { defineConfig } from 'vitest/config'

/** Tests that need a real server or device. They fail, and never skip, where it is not there. */
export default defineConfig({
  test: {
    include: ['test/servers/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 120_000,
    pool: 'forks',
    fileParallelism: false,
  },
})
