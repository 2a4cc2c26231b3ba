import type { HistoryMessage, RunRequest, SentContext } from "../../agent-backend.ts";
import { tokensOfText } from "../../tokens-of-text.ts";
import { recall, type Place } from "./agent-memory.ts";
import type { Component } from "./components.ts";

export type HistoryMode = "server" | "replay" | "auto";

/** A message as AgentOS gets it. */
export interface ToldMessage {
  readonly text: string;
  /** How many runs AgentOS puts before its model, which with this are the whole conversation; null: it puts none. */
  readonly shown: number | null;
  /** What was told beside the message; null: nothing. */
  readonly context: SentContext | null;
}

/** What is asked where it is not known. */
export interface Surroundings {
  /** Whether AgentOS has the session; null when it cannot tell. */
  sessionExists(): Promise<boolean | null>;
  /** Where the sessions of agents of this source are. */
  places(): Promise<(agentId: string) => Place>;
}

/** Decides which earlier messages go along with a new one, for agents that would not know them otherwise. */
export interface HistoryReplay {
  tell(
    request: RunRequest,
    component: Component,
    server: string,
    surroundings: Surroundings,
  ): Promise<ToldMessage>;
  /** A run that was told this has come to its end: AgentOS shows it from now on. */
  remember(request: RunRequest, server: string, told: ToldMessage): void;
  /** AgentOS was restarted or a session deleted there: what it knows is to be asked again. */
  forget(server: string, sessionId?: string): void;
}

const maxKnown = 10_000;
/** AgentOS takes 1 MiB of text; models take less. */
const maxReplayLength = 64 * 1024;

/**
 * `server` tells nothing, `replay` everything, `auto` what the agent would not know (see `recall`). A branch begins with
 * the path to it in `server` too: AgentOS cannot know that. Workflows get their input unchanged but for `replay`, and
 * agents with structured input always: they work on it, they do not chat. As long as a message follows what this
 * process has seen AgentOS take in, neither the history nor AgentOS is asked.
 */
export function createHistoryReplay(mode: HistoryMode): HistoryReplay {
  /** By session of AgentOS: its runs are the whole conversation up to the message of that number. */
  const known = new Map<string, { readonly last: number; readonly shown: number }>();

  return {
    async tell(request, component, server, { sessionExists, places }) {
      const isOwnMatter =
        component.structuredInput ||
        (component.kind === "workflow" && mode !== "replay") ||
        (mode === "server" && request.thread === undefined);
      if (isOwnMatter) return { text: request.message, shown: 0, context: null };

      const runs = mode === "server" ? Number.POSITIVE_INFINITY : component.historyRuns;
      const before = known.get(keyOf(server, request));
      if (mode !== "replay" && before?.last === request.after && before.shown <= runs) {
        return { text: request.message, shown: before.shown, context: null };
      }
      const history = await request.history({ maxBytes: maxReplayLength });
      if (history.length === 0) return { text: request.message, shown: 0, context: null };
      const everything = { told: history.length, shown: null };
      const plan = mode === "replay" ? everything : recall(history, runs, await places());
      const isLost = plan.told < history.length && (await sessionExists()) === false;
      return isLost
        ? withHistory(request, history, 0)
        : withHistory(request, history.slice(history.length - plan.told), plan.shown);
    },
    remember(request, server, { shown }) {
      const key = keyOf(server, request);
      known.delete(key);
      if (shown === null) return;
      known.set(key, { last: request.seq, shown: shown + 1 });
      const [oldest] = known.size > maxKnown ? known.keys() : [];
      if (oldest !== undefined) known.delete(oldest);
    },
    forget(server, sessionId) {
      if (sessionId !== undefined) known.delete(`${server} ${sessionId}`);
      else for (const key of known.keys()) if (key.startsWith(`${server} `)) known.delete(key);
    },
  };
}

function keyOf(server: string, { thread, sessionId }: RunRequest): string {
  return `${server} ${thread ?? sessionId}`;
}

/** The newest of these messages that fit, before the new one. As JSON, so that no message can pretend to be another. */
function withHistory(
  { message }: RunRequest,
  history: readonly HistoryMessage[],
  shown: number | null,
): ToldMessage {
  const lines: string[] = [];
  let length = 0;
  for (const { role, content, files } of history.toReversed()) {
    const names = files?.map(({ name, mediaType }) => `${name} (${mediaType})`);
    const line = JSON.stringify({ role, content, ...(names && { files: names }) });
    length += line.length;
    if (length > maxReplayLength) break;
    lines.unshift(line);
  }
  if (lines.length === 0) return { text: message, shown, context: null };
  const text = [
    shown === null || shown === 0
      ? "The conversation so far, oldest message first:"
      : "What else was said since your last answer, oldest message first:",
    "<conversation_so_far>",
    ...lines,
    "</conversation_so_far>",
    "",
    "The new message, to be answered:",
    message,
  ].join("\n");
  const cut = history[history.length - lines.length]?.seq ?? 1;
  const dropped = shown === null || shown === 0 ? cut - 1 : 0;
  return {
    text,
    shown,
    context: { messages: lines.length + 1, estimatedTokens: tokensOfText(text), dropped },
  };
}
