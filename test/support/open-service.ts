import type { AgentBackendKind } from "../../src/composition/agent-backends.ts";
import { createClosing } from "../../src/composition/closing.ts";
import { openConversations } from "../../src/composition/conversations.ts";
import { openDoors } from "../../src/composition/doors.ts";
import { openFloors } from "../../src/composition/floors.ts";
import type { Config } from "../../src/config/settings.ts";
import { createLogger } from "../../src/telemetry/create-logger.ts";
import { silentLogger } from "../../src/telemetry/logger.ts";

/** The service in this process, not listening, with other kinds of agent backends where they are given. */
export async function openService(config: Config, kinds?: readonly AgentBackendKind[]) {
  const closing = createClosing(silentLogger);
  try {
    const floors = await openFloors(config, createLogger(config.logging, config.service), closing);
    const conversations = await openConversations(floors, closing, kinds);
    const state = { gateway: null, siblings: null, isDraining: () => false };
    const app = await openDoors(floors, conversations, state, closing);
    await conversations.catalogue.start();
    closing.add("catalogue", () => conversations.catalogue.close());
    return {
      app,
      get: async (url: string) => (await app.inject({ url })).json<Record<string, unknown>>(),
      close: () => closing.close(),
    };
  } catch (error) {
    await closing.close();
    throw error;
  }
}
