import type { WebSocket } from "@fastify/websocket";
import type { FollowReply } from "./follow-reply.ts";
import type { LoggedEvent } from "../log/reply-log.ts";

/**
 * Shows a reply on a WebSocket: the events of the SSE stream, each with its number as `seq`. Each page waits until the
 * socket has taken the one before, so a slow client costs its cursor. Resolves when the reply is over or `signal` aborts.
 */
export async function showOnWebSocket(
  socket: WebSocket,
  events: ReturnType<FollowReply>,
  onShown: (event: LoggedEvent) => void,
): Promise<void> {
  for await (const page of events) {
    for (const event of page ?? []) {
      await send(socket, onStream("reply", event));
      onShown(event);
    }
  }
}

/** Resolves when the socket's buffer has taken the text; rejects when the socket is gone. */
export function send(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** The event is JSON already: which stream it is of, and its number, go in front. */
export function onStream(
  stream: "reply" | "sessions",
  { seq, json }: Pick<LoggedEvent, "seq" | "json">,
): string {
  return `{"stream":"${stream}","seq":${seq},${json.slice(1)}`;
}
