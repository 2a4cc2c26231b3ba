import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/faults/**/*.test.ts"],
    testTimeout: 180_000,
    hookTimeout: 600_000,
    globalSetup: ["test/support/global-setup.ts"],
    fileParallelism: false,
  },
});
