import { rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import type { AgentBackend, AgentEvent, Decision } from "../../src/agents/agent-backend.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { createClient, type Client } from "./client.ts";
import { openService } from "./open-service.ts";
import { createDataDir, withoutRates } from "./start-service.ts";

/** A service in this process with an agent, `actor`, that does what the script of a message's first word says. */
export interface ActedService {
  readonly url: string;
  readonly native: Client;
  /** What it was told after each of its pauses. */
  readonly decided: readonly (readonly Decision[])[];
  /** How often it was run, without what followed pauses. */
  readonly runs: () => number;
  close(): Promise<void>;
}

export type Scripts = Readonly<
  Record<string, readonly AgentEvent[] | ((signal: AbortSignal) => AsyncIterable<AgentEvent>)>
>;

/** After a pause it says `Done.` */
export async function startActedService(
  scripts: Scripts,
  env: Readonly<Record<string, string>> = {},
): Promise<ActedService> {
  const decided: (readonly Decision[])[] = [];
  let runs = 0;
  const actor: AgentBackend = {
    source: "actor",
    list: async () => [
      {
        agentId: "actor",
        name: "Actor",
        description: "Does what the script says",
        type: "agent",
        model: null,
        tools: [],
        metadata: {},
      },
    ],
    async *run({ message }, signal) {
      runs += 1;
      const script = scripts[message.split(" ", 1)[0] ?? ""] ?? [];
      yield* typeof script === "function" ? script(signal) : script;
    },
    async *continue(_request, _state, decisions) {
      decided.push(decisions);
      yield { type: "text", text: "Done." };
      yield { type: "finish", reason: "stop" };
    },
    probe: async () => ({ status: "healthy", details: {} }),
    close: async () => {},
  };
  const dataDir = await createDataDir();
  const loaded = loadConfig({
    environment: {
      SERVICE_DATA_DIR: dataDir,
      LOGGING_LEVEL: "ERROR",
      SESSIONS_TITLES: "first_words",
      ...withoutRates,
      ...env,
    },
    cwd: dataDir,
  });
  if (!loaded.ok) throw new Error(loaded.faults.join());
  const opened = await openService(loaded.config, [{ source: "actor", create: () => actor }]);
  await opened.app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = opened.app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    native: createClient(url),
    decided,
    runs: () => runs,
    async close() {
      await opened.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
