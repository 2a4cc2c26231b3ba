import { connect, type Socket } from "node:net";

export interface SeenAt {
  readonly id: number;
  readonly data: string;
  /** By `Date.now()`, as those of a model that says when it wrote. */
  readonly atMs: number;
}

interface ReaderOptions {
  readonly port: number;
  readonly path: string;
  readonly token: string;
  readonly onEvent: (event: SeenAt) => void;
}

const retryMs = 1_000;
const frame = /^(?:event: .*\n)?id: (\d+)\ndata: (.*)$/m;

/**
 * A reader of server-sent events that costs little, so that ten thousand fit into one process beside what they measure:
 * it comes back with its last id, as browsers do, a second after its connection has closed.
 */
export class EventReader {
  readonly #options: ReaderOptions;
  #socket: Socket | undefined;
  #rest = "";
  #hasHead = false;
  #isOver = false;
  #shown: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Of the last event. */
  lastId: number | null = null;
  /** Whether the present connection has shown an event. */
  isServed = false;
  /** Whether the present connection has been answered. */
  isAnswered = false;
  /** Answers other than 200. */
  refused = 0;
  /** Connections that closed before they were answered. */
  cut = 0;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** Resolves at the first event. */
  open(): Promise<void> {
    return new Promise((resolve) => {
      this.#shown = resolve;
      this.#connect();
    });
  }

  /** Somebody has cut it: until its next event it is not served. */
  expectAnother(): void {
    this.isServed = false;
    this.isAnswered = false;
  }

  close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #connect(): void {
    const { port, path, token } = this.#options;
    this.#rest = "";
    this.#hasHead = false;
    let isConnected = false;
    const socket = connect(port, "127.0.0.1", () => {
      isConnected = true;
      const last = this.lastId === null ? "" : `Last-Event-ID: ${this.lastId}\r\n`;
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\n` +
          `Accept: text/event-stream\r\n${last}\r\n`,
      );
    });
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#read(text));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (isConnected && !this.#hasHead) this.cut += 1;
      if (!this.#isOver) this.#timer = setTimeout(() => this.#connect(), retryMs);
    });
  }

  #read(text: string): void {
    this.#rest += text;
    if (!this.#hasHead) {
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.#hasHead = true;
      this.isAnswered = true;
      if (!this.#rest.startsWith("HTTP/1.1 200")) this.refused += 1;
      this.#rest = this.#rest.slice(end + 4);
    }
    const atMs = Date.now();
    // A chunk holds whole events: what stands between them is the length of one.
    for (;;) {
      const end = this.#rest.indexOf("\n\n");
      if (end < 0) return;
      const [, id, data] = frame.exec(this.#rest.slice(0, end)) ?? [];
      if (this.#rest.slice(0, end).includes("data: [DONE]")) this.#isOver = true;
      this.#rest = this.#rest.slice(end + 2);
      if (id === undefined || data === undefined) continue;
      this.lastId = Number(id);
      this.isServed = true;
      this.#options.onEvent({ id: this.lastId, data, atMs });
      this.#shown?.();
      this.#shown = undefined;
    }
  }
}
