import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  assumptions,
  capacityOf,
  capacityTables,
  demand,
  installations,
  measured,
  needsOf,
  rounded,
} from "../../bench/capacity-model.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/capacity.md"), "utf8");

describe("docs/capacity.md", () => {
  it.each(Object.entries(capacityTables()))(
    "has the table of %s as it is calculated",
    (_, table) => {
      expect(page).toContain(table);
    },
  );

  it("names benches that there are", () => {
    const run = readFileSync(join(root, "bench/run.ts"), "utf8");
    for (const { bench } of Object.values(measured)) {
      expect(run).toMatch(new RegExp(`^  "?${bench.split(" ")[0]}"?[:(]`, "m"));
    }
  });
});

describe("what is calculated", () => {
  const [core] = installations;

  it("is what the first bound lets through", () => {
    const one = capacityOf(core as (typeof installations)[number]);
    expect(one.turns.value).toBeCloseTo((assumptions.busy * 1_000) / measured.turn.value);
    expect(one.turns.by).toBe("CPU of the nodes");
    const many = capacityOf({ name: "", nodes: 100, workersANode: 8, databaseCores: 1 });
    expect(many.turns.by).toBe("CPU of PostgreSQL");
    expect(many.readers).toEqual({ value: 8_000_000, by: "limits.max_viewers" });
  });

  it("grows with what is wanted", () => {
    const twice = needsOf({ ...demand, messagesADay: demand.messagesADay * 2 } as never);
    expect(twice.cores).toBeCloseTo(needsOf(demand).cores * 2);
    expect(twice.diskTB).toBe(needsOf(demand).diskTB);
  });

  it("says no more than two digits", () => {
    expect([0.123, 4, 58.3, 583, 32_100].map(rounded)).toEqual([
      "0.12",
      "4",
      "58",
      "580",
      "32,000",
    ]);
  });
});
