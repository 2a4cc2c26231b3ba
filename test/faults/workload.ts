import { createParser } from "eventsource-parser";
import { createClient } from "../support/client.ts";
import { eventually, type Stage } from "../support/stage.ts";
import type { History, SeenEvent, Send, StoredRow, View } from "./history.ts";

interface WorkloadOptions {
  readonly stage: Stage;
  /** Tells its users and keys from those of other workloads on the same stage. */
  readonly name: string;
  /** Where clients go: the nodes themselves, or faulty wires in front of them. Asked before each request. */
  readonly urls: () => readonly string[];
  readonly clients: number;
  readonly sessions: number;
  /** The same seed makes the same choices. */
  readonly seed: number;
  /** Replies of this many words, this far apart. */
  readonly words: number;
  readonly delayMs: number;
}

export interface Workload {
  readonly counts: { sends: number; retries: number; reconnects: number };
  /** Longest time that a client waited for a reply's end, in milliseconds. */
  slowestReplyMs(): number;
  /** Clients finish what they have begun and stop; resolves when all have, with what is stored of it. */
  finish(): Promise<{ history: History; rows: StoredRow[] }>;
}

const terminal = new Set(["conversation_complete", "cancelled", "error"]);
/** A client gives up on a request after so long and asks another node. */
const requestPatienceMs = 15_000;

/**
 * Clients that behave as good ones do: each message has an idempotency key and is sent until some node takes it; each
 * reply is followed to its end over whatever node answers, from the last event seen. Everything is written down.
 */
export function startWorkload(options: WorkloadOptions): Workload {
  const { stage, name, urls, words, delayMs } = options;
  const random = createRandom(options.seed);
  const counts = { sends: 0, retries: 0, reconnects: 0 };
  const sends: Send[] = [];
  const views: View[] = [];
  const over = new AbortController();
  let slowestMs = 0;
  const anyUrl = () => {
    const all = urls();
    return all[Math.floor(random() * all.length)] as string;
  };

  const session = async (userId: string): Promise<string> => {
    for (;;) {
      try {
        return await createClient(anyUrl()).session(userId);
      } catch {
        await pause(100);
      }
    }
  };
  const sessionIds = Promise.all(
    Array.from({ length: options.sessions }, (_, index) => session(`${name} ${index}`)),
  );

  const client = async (number: number) => {
    const ids = await sessionIds;
    for (let count = 0; !over.signal.aborted; count += 1) {
      const sessionId = ids[Math.floor(random() * ids.length)] as string;
      const key = `${options.seed}.${number}.${count}`;
      await converse(sessionId, `slow ${words} ${delayMs} #${key}`, key);
    }
  };

  /** Sends one message until it is taken, and follows its reply to the end. */
  const converse = async (sessionId: string, text: string, key: string) => {
    const invokedMs = performance.now();
    const events: SeenEvent[] = [];
    let replyId: string | null = null;
    let acknowledgedMs: number | null = null;
    counts.sends += 1;
    for (let attempt = 0; !terminal.has(events.at(-1)?.type ?? ""); attempt += 1) {
      if (attempt > 0) {
        if (replyId === null) counts.retries += 1;
        else counts.reconnects += 1;
        await pause(50 + random() * 200);
      }
      try {
        const after = events.at(-1)?.id ?? 0;
        const response: Response =
          replyId === null
            ? await request(`${anyUrl()}/chat/message/stream`, {
                method: "POST",
                headers: { "content-type": "application/json", "idempotency-key": key },
                body: JSON.stringify({ session_id: sessionId, message: text }),
              })
            : await request(`${anyUrl()}/chat/message/${replyId}/stream?after=${after}`);
        if (response.status === 200) {
          // The head of the answer says that the message is stored.
          acknowledgedMs ??= performance.now();
          replyId ??= response.headers.get("x-message-id");
          await read(response, events);
        } else {
          await response.text();
        }
        if (performance.now() - invokedMs > 180_000) break;
      } catch {
        // Cut, refused or silent: what became of a message that was being sent is not known, so it is sent again.
      }
    }
    slowestMs = Math.max(slowestMs, performance.now() - invokedMs);
    sends.push({ key, sessionId, text, invokedMs, acknowledgedMs, replyId });
    if (replyId !== null) views.push({ replyId, events });
  };

  const running = Array.from({ length: options.clients }, (_, index) => client(index));
  return {
    counts,
    slowestReplyMs: () => slowestMs,
    async finish() {
      over.abort();
      await Promise.all(running);
      await eventually("all replies have ended", async () => {
        const open = await stage.query(
          "SELECT 1 FROM messages WHERE status IN ('queued', 'streaming')",
        );
        return open.length === 0;
      });
      const rows = await stage.query<StoredRow & Record<string, unknown>>(
        `SELECT session_id AS "sessionId", message_id AS "messageId", seq, role, status, content
         FROM messages WHERE session_id = ANY($1)`,
        [await sessionIds],
      );
      return { history: { sends, views }, rows };
    },
  };
}

async function request(url: string, init: RequestInit = {}): Promise<Response> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), requestPatienceMs);
  try {
    return await fetch(url, { ...init, signal: abort.signal });
  } finally {
    clearTimeout(timer);
  }
}

/** Reads until the stream ends or is silent for longer than its heartbeats allow. */
async function read(response: Response, events: SeenEvent[]): Promise<void> {
  const parser = createParser({
    onEvent({ id, data }) {
      if (data === "[DONE]") return;
      const { type } = JSON.parse(data) as { type: string };
      events.push({ id: Number(id), type, json: data });
    },
  });
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("silent")), 10_000);
    });
    try {
      const { done, value } = await Promise.race([reader.read(), silence]);
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
    } catch (error) {
      void reader.cancel().catch(() => undefined);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

function pause(timeMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, timeMs));
}

/** A small generator whose numbers depend on the seed alone (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
