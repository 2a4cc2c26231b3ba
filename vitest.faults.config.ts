import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/faults/**/*.test.ts"],
    testTimeout: 180_000,
    hookTimeout: 600_000,
    // Shared machines stall for seconds at a time: in CI a test has failed when it has failed three times.
    retry: process.env["CI"] === undefined ? 0 : 2,
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/own-directory.ts"],
    maxWorkers: 2,
  },
});
