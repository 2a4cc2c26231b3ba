import { Agent, request as httpRequest } from "node:http";
import { connect, type Socket } from "node:net";
import { constants, setPriority } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";

/**
 * One client who means harm, as a program of its own: `node hostile-client.ts '<plan>'`. It goes on until it is killed.
 * It stands for another machine, so the service's machine does its work for it last.
 */
export interface HostilePlan {
  readonly url: string;
  /** Its own; it is somebody's. */
  readonly authorization: string;
  readonly attacks: readonly AttackName[];
  /** A reply of its own with a long text, and a session with a long history. */
  readonly replyId: string;
  readonly sessionId: string;
  /** Files with recordings that are much to decode. */
  readonly bombs: readonly string[];
}

/** Not the honest client's: another machine has another one. Linux has all of 127.0.0.0/8. */
const localAddress = "127.0.0.2";

const mebibyte = 1024 * 1024;

/** Below what the service takes as a message with files. */
const hugeBytes = 13 * mebibyte;

type Attack = (plan: HostilePlan) => void;

const attacks = {
  /** Requests of every kind, sixty-four at a time, as fast as they are answered. */
  requests(plan) {
    const body = JSON.stringify({ metadata: { note: "x".repeat(20_000) } });
    const message = JSON.stringify({ message: "hi" });
    const history = `/chat/history/${plan.sessionId}`;
    loop(64, (index) => {
      const turn = index % 8;
      if (turn === 0) return ask(plan, "POST", "/chat/session", body);
      if (turn === 1) return ask(plan, "POST", "/chat/message", message);
      if (turn === 2) return ask(plan, "GET", `${history}?q=word`);
      if (turn === 3) return ask(plan, "POST", "/chat/voice/synthesize", '{"text":"Hello there."}');
      if (turn === 4) return ask(plan, "GET", "/health/detailed");
      return ask(plan, "GET", turn === 5 ? "/sessions" : `${history}?limit=200`);
    });
  },

  /** Requests without credentials, with wrong ones, and for nothing, many in one piece. */
  pipelines(plan) {
    const lines = [
      "",
      "Authorization: Bearer a.b.c\r\n",
      `Authorization: ${plan.authorization}\r\n`,
    ];
    const piece = lines
      .flatMap((line) =>
        ["/sessions", "/nowhere", "/chat/agents"].map(
          (path) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${line}\r\n`,
        ),
      )
      .join("")
      .repeat(10);
    for (let index = 0; index < 8; index++) {
      keepOpen(plan, (socket) => {
        const write = () => {
          while (socket.write(piece));
        };
        socket.on("drain", write);
        socket.resume();
        write();
      });
    }
  },

  /** Messages over WebSockets, faster than they are read, of all kinds. */
  messages(plan) {
    const kinds = [
      { type: "resume", message_id: plan.replyId, after: 0 },
      { type: "resume", message_id: "01a2200b-9490-77f7-927b-43c24043ce26", after: 0 },
      { type: "cancel", message_id: plan.replyId },
      { type: "chat", message: "hi", session_id: plan.sessionId },
      { type: "played", message_id: plan.replyId, played_ms: 1 },
      { type: "voice_start" },
      { type: "nonsense" },
    ].map((message) => JSON.stringify(message));
    loop(16, async () => {
      const socket = await open(plan);
      for (let index = 0; socket.readyState === socket.OPEN; index++) {
        socket.send(kinds[index % kinds.length] ?? "");
        while (socket.bufferedAmount > mebibyte && socket.readyState === socket.OPEN)
          await delay(5);
        if (index % 500 === 0) await delay(1);
      }
    });
  },

  /** Messages that are begun and never ended, by those who have signed in and by those who have not. */
  frames(plan) {
    loop(64, async (index) => {
      const socket = await open(plan, index % 2 === 0);
      for (let sent = 0; sent < hugeBytes && socket.readyState === socket.OPEN; sent += mebibyte) {
        socket.send(Buffer.alloc(mebibyte, "x"), { fin: false, binary: false });
        await delay(10);
      }
      while (socket.readyState === socket.OPEN) await delay(200);
    });
  },

  /** Bodies and heads that are never ended. */
  writers(plan) {
    const piece = Buffer.alloc(64 * 1024, "x");
    for (let index = 0; index < 300; index++) {
      keepOpen(plan, (socket) => {
        if (index % 3 === 0) {
          socket.write("GET /sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ");
          const timer = setInterval(() => socket.write("x"), 500);
          socket.once("close", () => clearInterval(timer));
          return;
        }
        const length =
          index % 3 === 1 ? `Content-Length: ${hugeBytes}` : "Transfer-Encoding: chunked";
        socket.write(
          `POST /chat/message HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${plan.authorization}\r\n` +
            `Content-Type: application/json\r\n${length}\r\n\r\n`,
        );
        if (index % 3 === 2) socket.write(`${hugeBytes.toString(16)}\r\n{"message":"`);
        let sent = 0;
        const write = () => {
          while (sent < hugeBytes - mebibyte) {
            sent += piece.length;
            if (!socket.write(piece)) return;
          }
        };
        socket.on("drain", write);
        write();
      });
    }
  },

  /** Bodies that are as large as they may be, or hold as many values as fit in. */
  bodies(plan) {
    const file = Buffer.alloc(9 * mebibyte).toString("base64");
    const attachments = [{ name: "a.bin", media_type: "application/octet-stream", data: file }];
    const made = [
      JSON.stringify({ message: "x", attachments }),
      `{"message":"x","metadata":{"a":[${"{},".repeat(hugeBytes / 3)}{}]}}`,
      `{"message":"x","metadata":{"a":[${"0,".repeat(400_000)}0]}}`,
      `{"message":"x","context":${"[".repeat(500_000)}}`,
      JSON.stringify({ message: "x", metadata: { a: "y".repeat(900_000) } }),
    ];
    loop(12, (index) => ask(plan, "POST", "/chat/message", made[index % made.length]));
  },

  /** Answers, streams and sockets of which nothing is taken. */
  readers(plan) {
    const paths = [
      `/chat/history/${plan.sessionId}?limit=200`,
      `/chat/message/${plan.replyId}/stream`,
      "/openapi.json",
    ];
    for (let index = 0; index < 200; index++) {
      keepOpen(plan, (socket) => {
        socket.pause();
        const path = paths[index % paths.length];
        const head = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${plan.authorization}\r\n\r\n`;
        socket.write(head.repeat(20));
      });
    }
    loop(32, async () => {
      const socket = await open(plan);
      socket.pause();
      const resume = JSON.stringify({ type: "resume", message_id: plan.replyId, after: 0 });
      for (let times = 0; times < 50; times++) socket.send(resume);
      while (socket.readyState === socket.OPEN) await delay(200);
    });
  },

  /** Recordings that are much to decode, and some that lie about what they are. */
  recordings(plan) {
    loop(16, async (index) => {
      const { openAsBlob } = await import("node:fs");
      const path = plan.bombs[index % plan.bombs.length];
      if (path === undefined) return;
      const form = new FormData();
      form.set("audio_file", await openAsBlob(path), path);
      const encoded = new Response(form);
      const type = encoded.headers.get("content-type") ?? "";
      const body = Buffer.from(await encoded.arrayBuffer());
      await ask(plan, "POST", "/chat/voice/transcribe", body, type);
    });
  },
} satisfies Record<string, Attack>;

export type AttackName = keyof typeof attacks;
export const attackNames = Object.keys(attacks) as readonly AttackName[];

/** So many at a time, again and again, whatever becomes of each. */
function loop(concurrency: number, act: (index: number) => Promise<unknown>): void {
  for (let lane = 0; lane < concurrency; lane++) {
    void (async () => {
      for (let index = lane; ; index += 1) {
        // Being refused or cut off is what it expects.
        await act(index).catch(() => delay(20));
      }
    })();
  }
}

const agent = new Agent({ keepAlive: true, localAddress });

function ask(
  { url, authorization }: HostilePlan,
  method: string,
  path: string,
  body?: string | Buffer,
  type = "application/json",
): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization,
      ...(body !== undefined && {
        "content-type": type,
        "content-length": Buffer.byteLength(body),
      }),
    };
    const outgoing = httpRequest(url + path, { method, agent, headers }, (response) => {
      response.resume().once("close", resolve);
    });
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

/** A connection that is made anew whenever it ends. */
function keepOpen({ url }: HostilePlan, use: (socket: Socket) => void): void {
  const { hostname, port } = new URL(url);
  const socket = connect({ port: Number(port), host: hostname, localAddress }, () => use(socket));
  socket.on("error", () => {});
  socket.once("close", () => setTimeout(() => keepOpen({ url } as HostilePlan, use), 50));
}

async function open({ url, authorization }: HostilePlan, isKnown = true): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/chat/ws`, {
    headers: isKnown ? { authorization } : {},
    localAddress,
  });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.on("error", reject);
  });
  return socket;
}

const [, script, argument] = process.argv;
if (script === import.meta.filename && argument !== undefined) {
  setPriority(constants.priority.PRIORITY_LOW);
  process.on("uncaughtException", () => {}); // sockets that are cut off in the middle of something
  const plan = JSON.parse(argument) as HostilePlan;
  for (const name of plan.attacks) attacks[name](plan);
  process.stdout.write("begun\n");
  // Nor longer than there is somebody who could kill it.
  process.stdin.once("close", () => process.exit()).resume();
}
