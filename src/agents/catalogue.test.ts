import { expect, test } from "vitest";
import { silentLogger } from "../telemetry/logger.ts";
import type { AgentBackend, AgentDescriptor } from "./agent-backend.ts";
import { createCatalogue } from "./catalogue.ts";

function backend(list: () => readonly AgentDescriptor[]): AgentBackend {
  return {
    source: "models",
    list: () => Promise.resolve().then(list),
    run: () => {
      throw new Error("nothing is run here");
    },
    probe: () => Promise.resolve({ status: "healthy", details: {} }),
    close: () => Promise.resolve(),
  };
}

const agent = (agentId: string, changes: Partial<AgentDescriptor> = {}): AgentDescriptor => ({
  agentId,
  name: agentId,
  description: "",
  type: "agent",
  model: null,
  tools: [],
  metadata: {},
  ...changes,
});

test("agents are unavailable while their backend is away, or says that they could not answer", async () => {
  let isAway = false;
  let isAvailable = true;
  const catalogue = createCatalogue({
    backends: [
      backend(() => {
        if (isAway) throw new Error("away");
        return [agent("one")];
      }),
      backend(() => [agent("two", { isAvailable }), agent("three")]),
    ],
    defaultAgent: null,
    refreshMs: 60_000,
    logger: silentLogger,
  });
  const listed = async () => {
    await catalogue.start();
    catalogue.close();
    return catalogue.all().map((entry) => `${entry.agentId} ${entry.status}`);
  };
  expect(await listed()).toEqual(["one available", "two available", "three available"]);
  isAway = true;
  isAvailable = false;
  expect(await listed()).toEqual(["one unavailable", "two unavailable", "three available"]);
  isAway = false;
  isAvailable = true;
  expect(await listed()).toEqual(["one available", "two available", "three available"]);
});
