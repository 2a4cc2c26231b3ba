import type { ReplyEvent } from "../replies/reply-event.ts";
import type { ApiClient } from "./api-client.ts";
import { askDecisions, type Ask } from "./decisions.ts";
import { createReplyPrinter } from "./reply-printer.ts";
import { painter, printable, type Terminal } from "./terminal.ts";

export interface SessionInfo {
  readonly session_id: string;
  readonly agent_id: string;
  readonly title: string | null;
  readonly status: string;
  readonly last_activity: string;
  readonly message_count: number;
}

export interface AgentInfo {
  readonly agent_id: string;
  readonly name: string;
  readonly description: string;
  readonly status: string;
}

interface HistoryMessage {
  readonly role: string;
  readonly content: string;
  readonly agent_id: string;
  readonly status: string;
}

interface ConversationOptions {
  readonly client: ApiClient;
  readonly terminal: Terminal;
  readonly userId: string;
  readonly agentId: string | null;
}

/** Who can be asked while a reply is made, and how it is stopped; null: nobody, and not at all. */
interface Person {
  readonly ask: Ask;
  readonly stop: AbortSignal;
}

export type Conversation = ReturnType<typeof createConversation>;

/** One person's side of the service: the session being talked in, and the others. */
export function createConversation({ client, terminal, userId, agentId }: ConversationOptions) {
  const { output } = terminal;
  const paint = painter(terminal.isColoured);
  const named = `user_id=${encodeURIComponent(userId)}`;
  let sessionId: string | null = null;
  let agent = agentId;
  /** As last listed, for `/open 2`. */
  let listed: readonly SessionInfo[] = [];

  /** Follows one stream to its end; returns what the reply waits for, if it does. */
  const show = async (
    events: AsyncGenerator<ReplyEvent>,
    person: Person | null,
  ): Promise<{ exitCode: number; paused: Extract<ReplyEvent, { type: "paused" }> | null }> => {
    const printer = createReplyPrinter(terminal);
    let replyId: string | null = null;
    const cancel = () => {
      if (replyId === null) return;
      client.call("POST", `/chat/message/${replyId}/cancel?${named}`).catch(() => {
        // It has ended meanwhile, and the stream says how.
      });
    };
    person?.stop.addEventListener("abort", cancel, { once: true });
    let paused: Extract<ReplyEvent, { type: "paused" }> | null = null;
    let exitCode = 0;
    try {
      for await (const event of events) {
        replyId = event.message_id;
        sessionId = event.session_id;
        if (person?.stop.aborted === true && event.type === "user_message") cancel();
        if (event.type === "paused") paused = event;
        if (event.type === "error") exitCode = 1;
        printer.print(event);
      }
    } finally {
      printer.end();
      person?.stop.removeEventListener("abort", cancel);
    }
    return { exitCode, paused };
  };

  return {
    userId,
    agentId: () => agent,
    sessionId: () => sessionId,

    async greet(): Promise<void> {
      const { service, version } = await client.call<{ service: string; version: string }>(
        "GET",
        "/health",
      );
      output.write(
        `${paint("dim", `${service} ${version} at ${client.url}. You are ${userId}. /help lists commands.`)}\n`,
      );
    },

    /** Sends a message and shows its reply, asking the person where the agent must. Returns an exit code. */
    async say(message: string, person: Person | null): Promise<number> {
      const { signal } = new AbortController();
      const body = {
        message,
        user_id: userId,
        ...(sessionId !== null && { session_id: sessionId }),
        ...(agent !== null && { agent_id: agent }),
      };
      let shown = await show(client.send(body, signal), person);
      while (shown.paused !== null) {
        const { message_id: replyId, requirements } = shown.paused;
        const decisions =
          person === null ? null : await askDecisions(requirements, person.ask, terminal);
        if (decisions === null) {
          output.write(`${paint("yellow", `The reply waits for a decision: ${replyId}`)}\n`);
          return 1;
        }
        const going = client.continue(replyId, `?${named}`, decisions, signal);
        shown = await show(going, person);
      }
      return shown.exitCode;
    },

    /** Goes on with a session, by its id or its number in the last list, and shows how it ended. */
    async open(idOrNumber: string): Promise<void> {
      const number = /^\d{1,3}$/.test(idOrNumber) ? Number(idOrNumber) : null;
      const wanted = number === null ? idOrNumber : (listed[number - 1]?.session_id ?? idOrNumber);
      const info = await client.call<SessionInfo>(
        "GET",
        `/sessions/${encodeURIComponent(wanted)}?${named}`,
      );
      sessionId = info.session_id;
      agent = null;
      output.write(`${paint("dim", `${info.title ?? "untitled"} · ${info.agent_id}`)}\n`);
      await this.history(6);
    },

    /** The next message begins a new session. */
    startAnew(agentId: string | null): void {
      sessionId = null;
      agent = agentId ?? agent;
    },

    switchAgent(agentId: string): void {
      agent = agentId;
    },

    async history(count: number): Promise<void> {
      if (sessionId === null) {
        output.write("Nothing has been said yet.\n");
        return;
      }
      const info = await client.call<SessionInfo>("GET", `/sessions/${sessionId}?${named}`);
      const offset = Math.max(0, info.message_count - count);
      const { messages } = await client.call<{ messages: readonly HistoryMessage[] }>(
        "GET",
        `/chat/history/${sessionId}?${named}&limit=${count}&offset=${offset}`,
      );
      for (const { role, content, agent_id: speaker, status } of messages) {
        const who = role === "user" ? paint("bold", "you › ") : paint("cyan", `${speaker} › `);
        const how = ["complete", "paused"].includes(status) ? "" : paint("dim", ` (${status})`);
        output.write(`${who}${printable(content)}${role === "user" ? "" : how}\n`);
      }
    },

    async sessions(): Promise<readonly SessionInfo[]> {
      const answer = await client.call<{ sessions: readonly SessionInfo[] }>(
        "GET",
        `/sessions?${named}&limit=20`,
      );
      listed = answer.sessions;
      return listed;
    },

    async agents(): Promise<readonly AgentInfo[]> {
      return (await client.call<{ agents: readonly AgentInfo[] }>("GET", "/chat/agents")).agents;
    },

    async rename(title: string): Promise<void> {
      await client.call("PATCH", `/sessions/${requireSession()}?${named}`, { title });
    },

    async remove(): Promise<void> {
      await client.call("DELETE", `/sessions/${requireSession()}?${named}`);
      sessionId = null;
    },
  };

  function requireSession(): string {
    if (sessionId === null) throw new NothingOpen("Say something first, or /open a session.");
    return sessionId;
  }
}

/** The command is about a session, and none is open. */
export class NothingOpen extends Error {
  override readonly name = "NothingOpen";
}
