import { expect, test } from "vitest";
import { describeFaults } from "./describe-faults.ts";

test("one fault", () => {
  expect(describeFaults(["service.prot: is not a known key; did you mean service.port?"])).toBe(
    `chat-service cannot start: one thing is wrong with its configuration.

  - service.prot: is not a known key; did you mean service.port?

Correct this in the configuration file or the environment and start again.
Every setting is explained in docs/configuration.md and listed in config.example.yaml.
`,
  );
});

test("several faults, each a sentence of its own", () => {
  const text = describeFaults(["a: is bad", "b: is worse"]);
  expect(text).toMatch(/^chat-service cannot start: 2 things are wrong with its configuration\.\n/);
  expect(text).toContain("\n  - a: is bad.\n  - b: is worse.\n");
});
