import { client } from "../api/client.ts";
import type { Agent, Model, ServiceConfig } from "../api/types.ts";
import { createSavedStore } from "./saved.ts";
import { createStore } from "./store.ts";

/** Whom one can talk to, in the page's language. */
export const agents = createStore<readonly Agent[]>([]);

/** Models to choose from; often none. */
export const models = createStore<readonly Model[]>([]);

/** What the service can do; null until it has said so. */
export const serviceConfig = createStore<ServiceConfig | null>(null);

/** For the next new conversation; empty: the service's default. */
export const chosenAgent = createSavedStore<string>(
  "agent",
  "",
  (id): id is string => typeof id === "string",
);

/** Loads agents and models. Failures leave what is known. */
export async function refreshCatalogue(): Promise<void> {
  const [newAgents, newModels] = await Promise.allSettled([client.agents(), client.models()]);
  if (newAgents.status === "fulfilled") agents.set(newAgents.value);
  if (newModels.status === "fulfilled") models.set(newModels.value);
}

/** The name to show for an agent: its own, or what is known of it. */
export function agentName(list: readonly Agent[], agentId: string): string {
  return list.find((agent) => agent.agent_id === agentId)?.name ?? agentId;
}

/** Whom a message is for: the session's agent, null where it is not known, or the one a conversation begins with. */
export function addressedAgent(
  list: readonly Agent[],
  session: { readonly agent_id: string } | null,
  chosen: string,
): Agent | null {
  if (session === null) return startingAgent(list, chosen);
  return list.find(({ agent_id: id }) => id === session.agent_id) ?? null;
}

/** The agent that a new conversation begins with. */
export function startingAgent(list: readonly Agent[], chosen: string): Agent | null {
  return (
    list.find(({ agent_id: id }) => id === chosen) ??
    list.find(({ agent_id: id }) => id === "general-chat") ??
    list[0] ??
    null
  );
}
