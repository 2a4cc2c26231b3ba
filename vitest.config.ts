import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // These have commands of their own: npm run test:agno, npm run test:faults.
    exclude: ["test/agno/**", "test/faults/**", "node_modules/**", "web/**"],
    globalSetup: ["test/support/global-setup.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Services, databases and streams are started for real: two files at a time suit a small machine.
    maxWorkers: 2,
  },
});
