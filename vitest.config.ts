import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // These have commands of their own: npm run test:agno, npm run test:faults.
    exclude: ["test/agno/**", "test/faults/**", "node_modules/**", "web/**"],
    // Shared machines stall for seconds at a time: in CI a test has failed when it has failed three times.
    retry: process.env["CI"] === undefined ? 0 : 2,
    globalSetup: ["test/support/global-setup.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    // Services, databases and streams are started for real, and waited for: three files at a time keep two cores busy.
    maxWorkers: 3,
  },
});
