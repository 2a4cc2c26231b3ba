import { once } from "node:events";
import { WebSocket } from "ws";

export type SocketMessage = Record<string, unknown> & { type: string };

/** A client's socket, with what has come and a way to wait for more. */
export interface SocketClient {
  readonly socket: WebSocket;
  readonly messages: SocketMessage[];
  send(message: object | string): void;
  /** The first message that fits, of those that came after number `from`; rejects when the socket closes without it. */
  next(fits: (message: SocketMessage) => boolean, from?: number): Promise<SocketMessage>;
  /** The code it was closed with; 0 when that had happened before. */
  closed(): Promise<number>;
}

export function connectSocket(url: string, headers: Record<string, string> = {}): SocketClient {
  const socket = new WebSocket(url.replace("http", "ws"), { headers });
  const messages: SocketMessage[] = [];
  const waiting = new Set<() => void>();
  const wakeAll = () => {
    for (const wake of waiting) wake();
  };
  socket.on("message", (data: Buffer) => {
    messages.push(JSON.parse(data.toString()) as SocketMessage);
    wakeAll();
  });
  socket.on("close", wakeAll);
  socket.on("error", wakeAll);
  return {
    socket,
    messages,
    send: (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message)),
    async next(fits, from = 0) {
      for (;;) {
        const found = messages.slice(from).find(fits);
        if (found !== undefined) return found;
        if (socket.readyState >= WebSocket.CLOSING) {
          throw new Error(`closed without it: ${JSON.stringify(messages)}`);
        }
        await new Promise<void>((resolve) => {
          const wake = () => {
            waiting.delete(wake);
            resolve();
          };
          waiting.add(wake);
        });
      }
    },
    async closed() {
      if (socket.readyState === WebSocket.CLOSED) return 0;
      const [code] = (await once(socket, "close")) as [number];
      return code;
    },
  };
}
