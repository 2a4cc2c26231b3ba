import { BaseSequencer, type TestSpecification } from "vitest/node";
import { defineConfig } from "vitest/config";

const tests = process.env["MUTATE_TESTS"]?.split(" ") ?? [];

/** In the order in which they were asked for: the nearest first, which is also the fastest to notice. */
class AsAsked extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) =>
      tests.findIndex((test) => moduleId.endsWith(test));
    return Promise.resolve(files.toSorted((one, other) => place(one) - place(other)));
  }
}

/** One file at a time up to the first failure. These tests start no service: there is no data directory to prepare. */
export default defineConfig({
  test: {
    include: tests,
    sequence: { sequencer: AsAsked },
    bail: 1,
    maxWorkers: 1,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } },
    reporters: [["json", { outputFile: "mutate.json" }]],
  },
});
