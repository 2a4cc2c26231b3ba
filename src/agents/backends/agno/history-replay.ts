import type { HistoryMessage, RunRequest } from "../../agent-backend.ts";
import type { Component } from "./components.ts";

export type HistoryMode = "server" | "replay" | "auto";

/** Decides whether earlier messages go along with a new one, for agents that would not know them otherwise. */
export interface HistoryReplay {
  /** The message as AgentOS gets it. `sessionExists` asks AgentOS; null when it cannot tell. */
  messageFor(
    request: RunRequest,
    component: Component,
    server: string,
    sessionExists: () => Promise<boolean | null>,
  ): Promise<string>;
  /** A run of this session was accepted: AgentOS knows it from now on. */
  remember(server: string, sessionId: string): void;
  /** AgentOS was restarted or a session deleted there: what it knows is to be asked again. */
  forget(server: string, sessionId?: string): void;
}

const maxRemembered = 10_000;
/** AgentOS takes 1 MiB of text; models take less. */
const maxReplayLength = 64 * 1024;

/**
 * Of a branch AgentOS knows nothing by itself, so it is told the path whatever the mode, until it has a whole reply of
 * that branch. Else: `server` never, `replay` always, `auto` where AgentOS has forgotten: always for agents that put no history before
 * their model, and for the others when the session has earlier messages here but does not exist there. Asking costs
 * one request per session and process. Workflows and agents with structured input get their input unchanged in
 * `auto`: they work on it, they do not chat.
 */
export function createHistoryReplay(mode: HistoryMode): HistoryReplay {
  const remembered = new Set<string>();

  function remember(server: string, sessionId: string): void {
    const key = `${server} ${sessionId}`;
    remembered.delete(key);
    remembered.add(key);
    if (remembered.size <= maxRemembered) return;
    const [oldest] = remembered;
    if (oldest !== undefined) remembered.delete(oldest);
  }

  return {
    remember,
    forget(server, sessionId) {
      if (sessionId !== undefined) remembered.delete(`${server} ${sessionId}`);
      else for (const key of remembered) if (key.startsWith(`${server} `)) remembered.delete(key);
    },
    async messageFor(request, component, server, sessionExists) {
      if (component.structuredInput) return request.message;
      const isChat = component.kind !== "workflow" && component.remembers !== false;
      if (request.thread !== undefined && mode !== "replay" && isChat) {
        const history = await request.history({ maxBytes: maxReplayLength });
        const mayRemember = component.databaseId !== null && history.some(isOfThread);
        if (mayRemember && (await sessionExists()) !== false) return request.message;
        return withHistory(request.message, history);
      }
      if (mode === "server") return request.message;
      if (mode === "auto") {
        if (component.kind === "workflow") return request.message;
        const mayRemember = component.remembers !== false && component.databaseId !== null;
        if (mayRemember && remembered.has(`${server} ${request.sessionId}`)) return request.message;
        const history = await request.history({ maxBytes: maxReplayLength });
        if (history.length === 0) return request.message;
        if (mayRemember && (await sessionExists()) !== false) {
          remember(server, request.sessionId);
          return request.message;
        }
        return withHistory(request.message, history);
      }
      return withHistory(request.message, await request.history({ maxBytes: maxReplayLength }));
    },
  };
}

function isOfThread(message: HistoryMessage): boolean {
  return message.isOfThread === true;
}

/** The newest messages that fit, before the new one. As JSON, so that no message can pretend to be another. */
function withHistory(message: string, history: readonly HistoryMessage[]): string {
  const lines: string[] = [];
  let length = 0;
  for (const each of history.toReversed()) {
    const line = JSON.stringify({ role: each.role, content: each.content });
    length += line.length;
    if (length > maxReplayLength) break;
    lines.unshift(line);
  }
  if (lines.length === 0) return message;
  return [
    "The conversation so far, oldest message first:",
    "<conversation_so_far>",
    ...lines,
    "</conversation_so_far>",
    "",
    "The new message, to be answered:",
    message,
  ].join("\n");
}
