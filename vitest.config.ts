import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The long ones first, so that none of them is left over when everything else is done. */
class LongOnesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => moduleId.endsWith(".model.test.ts");
    return [...sorted.filter(isLong), ...sorted.filter((each) => !isLong(each))];
  }
}

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "packages/*/src/**/*.test.ts", "test/**/*.test.ts"],
    // These have commands of their own: npm run test:agno, npm run test:faults.
    exclude: ["test/agno/**", "test/faults/**", "node_modules/**", "web/**"],
    // Shared machines stall for seconds at a time: in CI a test has failed when it has failed three times.
    retry: process.env["CI"] === undefined ? 0 : 2,
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/own-directory.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    // Services, databases and streams are started for real, and waited for: three files at a time keep two cores busy.
    maxWorkers: 3,
    sequence: { sequencer: LongOnesFirst },
  },
});
