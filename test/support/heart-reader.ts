import type { ReplyEvent } from "../../src/replies/reply-event.ts";
import { isTerminal } from "../../src/replies/reply-event.ts";
import type { HeartNode } from "./heart.ts";

export type HeartReader = ReturnType<typeof createHeartReader>;

/** A client that follows one reply, from whatever node, and comes back with its cursor when it is cut off. */
export function createHeartReader(replyId: string, sessionId: string) {
  let cursor = 0;
  let text = "";
  let end: ReplyEvent | null = null;
  let isPaused = false;
  /** The reply is gone, and its readers were told nothing more. */
  let isDone = false;
  let reading: Promise<void> | null = null;
  const faults: string[] = [];
  const stop = new AbortController();

  const take = (event: ReplyEvent, seq: number): void => {
    const name = `${seq} ${event.type}`;
    if (end !== null) faults.push(`${name} after the end`);
    if (seq !== cursor + 1 && !(event.type === "snapshot" && seq > cursor)) {
      faults.push(`${name} after ${cursor}`);
    }
    if (seq === 1 && event.type !== "user_message" && event.type !== "snapshot") {
      faults.push(`${name} first`);
    }
    cursor = seq;
    isPaused = event.type === "paused";
    if (event.type === "assistant_chunk") text += event.chunk;
    if (event.type === "snapshot" || event.type === "replaced") text = event.content;
    if (isTerminal(event.type)) end = event;
  };

  const read = async (node: HeartNode): Promise<void> => {
    isPaused = false;
    try {
      for await (const events of node.follow(replyId, cursor, stop.signal)) {
        for (const { seq, json } of events ?? []) take(JSON.parse(json) as ReplyEvent, seq);
      }
      if (!node.isGone() && !stop.signal.aborted && end === null && !isPaused) isDone = true;
    } catch {
      // Cut off, as connections are; it comes back.
    }
  };

  return {
    replyId,
    sessionId,
    faults,
    take,
    /** Reads on from there, unless it is reading. */
    attach(node: HeartNode): void {
      if (end !== null || isDone) return;
      reading ??= read(node).finally(() => {
        reading = null;
      });
    },
    /** Whether there is nothing more to come. */
    isOver: () => end !== null || isDone,
    isPaused: () => isPaused,
    isReading: () => reading !== null,
    end: () => end,
    cursor: () => cursor,
    text: () => text,
    async close(): Promise<void> {
      stop.abort();
      await reading;
    },
  };
}
