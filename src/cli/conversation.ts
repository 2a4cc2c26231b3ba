import type {
  Agent,
  NumberedReplyEvent,
  Reply,
  SessionInfo,
} from "../../packages/client/src/index.ts";
import { askDecisions, type Ask } from "./decisions.ts";
import { createReplyPrinter } from "./reply-printer.ts";
import type { ServiceClient } from "./service-client.ts";
import { painter, printable, type Terminal } from "./terminal.ts";

interface ConversationOptions {
  readonly client: ServiceClient;
  readonly terminal: Terminal;
  readonly userId: string;
  readonly agentId: string | null;
}

/** Who can be asked while a reply is made, and how it is stopped; null: nobody, and not at all. */
interface Person {
  readonly ask: Ask;
  readonly stop: AbortSignal;
}

type PausedEvent = Extract<NumberedReplyEvent, { type: "paused" }>;

export type Conversation = ReturnType<typeof createConversation>;

/** One person's side of the service: the session being talked in, and the others. */
export function createConversation({ client, terminal, userId, agentId }: ConversationOptions) {
  const { output } = terminal;
  const paint = painter(terminal.isColoured);
  let sessionId: string | null = null;
  let agent = agentId;
  /** As last listed, for `/open 2`. */
  let listed: readonly SessionInfo[] = [];

  /** Follows one stream to its end; returns what the reply waits for, if it does. */
  const show = async (
    reply: Reply,
    person: Person | null,
  ): Promise<{ exitCode: number; paused: PausedEvent | null }> => {
    const printer = createReplyPrinter(terminal);
    const cancel = () => {
      reply.cancel().catch(() => {
        // What became of it is told by its events.
      });
    };
    person?.stop.addEventListener("abort", cancel, { once: true });
    if (person?.stop.aborted === true) cancel();
    let paused: PausedEvent | null = null;
    let exitCode = 0;
    try {
      for await (const event of reply) {
        sessionId = event.session_id;
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
      const { service, version } = await client.health();
      output.write(
        `${paint("dim", `${service} ${version} at ${client.address}. You are ${userId}. /help lists commands.`)}\n`,
      );
    },

    /** Sends a message and shows its reply, asking the person where the agent must. Returns an exit code. */
    async say(message: string, person: Person | null): Promise<number> {
      const body = {
        message,
        ...(sessionId !== null && { session_id: sessionId }),
        ...(agent !== null && { agent_id: agent }),
      };
      let shown = await show(client.send(body), person);
      while (shown.paused !== null) {
        const { message_id: replyId, requirements, seq: after } = shown.paused;
        const decisions =
          person === null ? null : await askDecisions(requirements, person.ask, terminal);
        if (decisions === null) {
          output.write(`${paint("yellow", `The reply waits for a decision: ${replyId}`)}\n`);
          return 1;
        }
        shown = await show(client.messages.continue(replyId, decisions, { after }), person);
      }
      return shown.exitCode;
    },

    /** Goes on with a session, by its id or its number in the last list, and shows how it ended. */
    async open(idOrNumber: string): Promise<void> {
      const number = /^\d{1,3}$/.test(idOrNumber) ? Number(idOrNumber) : null;
      const wanted = number === null ? idOrNumber : (listed[number - 1]?.session_id ?? idOrNumber);
      const info = await client.sessions.get(wanted);
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
      const info = await client.sessions.get(sessionId);
      const offset = Math.max(0, info.message_count - count);
      const { messages } = await client.messages.history(sessionId, { limit: count, offset });
      for (const { role, content, agent_id: speaker, status } of messages) {
        const who = role === "user" ? paint("bold", "you › ") : paint("cyan", `${speaker} › `);
        const how = ["complete", "paused"].includes(status) ? "" : paint("dim", ` (${status})`);
        output.write(`${who}${printable(content)}${role === "user" ? "" : how}\n`);
      }
    },

    async sessions(): Promise<readonly SessionInfo[]> {
      listed = (await client.sessions.list()).sessions;
      return listed;
    },

    agents: (): Promise<readonly Agent[]> => client.agents(),

    async rename(title: string): Promise<void> {
      await client.sessions.rename(requireSession(), title);
    },

    async remove(): Promise<void> {
      await client.sessions.delete(requireSession());
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
