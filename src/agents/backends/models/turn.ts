import type { Logger } from "../../../telemetry/logger.ts";
import type { Decision, RunRequest } from "../../agent-backend.ts";
import type { ChatMessage, ModelToolCall } from "./chat-protocol.ts";
import type { ContextWindows } from "./context-windows.ts";
import type { ModelAgent } from "./default-agents.ts";
import type { McpTools } from "./mcp/mcp-tools.ts";
import type { ModelRouter } from "./model-router.ts";
import type { Past } from "./past-turns.ts";

/** Requests to models for one reply, those of delegates included; the last one may not call tools any more. */
export const maxModelCalls = 10;
/** The agent addressed, the one it asks, and the one that asks in turn. */
export const maxDepth = 3;
/** What is kept of an agent's words to be told to a model again, in UTF-16 units. */
export const maxKeptLength = 64 * 1024;

/** Images of one agent's words that are passed on within one reply, as addresses: mostly `data:` URLs. */
export const maxMediaLength = 8 * 1024 * 1024;

export interface ConversationOptions {
  readonly agents: ReadonlyMap<string, ModelAgent>;
  readonly router: ModelRouter;
  /** Earlier messages that agents are told at most; 0: as many as have room. */
  readonly historyMessages: number;
  readonly usesSummaries: boolean;
  readonly mcp: Pick<McpTools, "of">;
  readonly windows: ContextWindows;
  readonly log: Logger;
}

/** What all agents at work on one reply share. */
export interface Reply {
  readonly request: RunRequest;
  /** Null until the agent addressed has read it. */
  past: Past | null;
  /** Requests to models so far, with the next one of each agent at work: counted before anything is waited for. */
  modelCalls: number;
  /** Numbers the requests that were sent. */
  sent: number;
  /** How often a person was asked: numbers the requirements. */
  asked: number;
  /** What people have decided since, by the id of the requirement. */
  readonly decisions: ReadonlyMap<string, Decision>;
}

/** A call of a tool, and how far it has come. */
export interface Answer {
  readonly call: ModelToolCall;
  /** For the model; null: not yet. */
  result: string | null;
  /** Waits for a person to allow it: the id of the requirement. */
  requirementId: string | null;
  /** The colleague that was asked, while it waits for a person itself. */
  member: Turn | null;
}

/** One agent at work, and what came of it. */
export interface Turn {
  readonly agent: ModelAgent;
  /** Ids of the agents that wait for this one, itself included. */
  readonly chain: readonly string[];
  readonly reply: Reply;
  /** What the user, or the agent that delegates, says. */
  readonly message: string;
  /** Calls of tools, and their results. */
  readonly rounds: ChatMessage[];
  /** The calls of a round some of which wait for a person. */
  waiting: readonly Answer[] | null;
  /** Its words, as far as they are kept. */
  text: string;
  /** Of the addresses of what it has shown, which may hold the bytes themselves. */
  mediaLength: number;
  reason: string;
}
