import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { upstreamText, type Scene } from "../../src/agents/agent-backend.contract.ts";
import { readRecording } from "./recording.ts";
import { readForm, type Exchange } from "./recording-proxy.ts";

/** How the server answers requests that have to do with runs; returns false to leave it to the next. */
export type Answer = (request: ScriptedRequest, response: ServerResponse) => boolean;

export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly form: Readonly<Record<string, string | readonly string[]>>;
  readonly headers: IncomingHttpHeaders;
}

export interface ScriptedAgentOs {
  readonly url: string;
  readonly requests: readonly ScriptedRequest[];
  /** From now on runs do this. */
  play(scene: Scene): void;
  /** Asked before everything else. */
  setAnswer(answer: Answer | null): void;
  /** Settles when the latest run was cancelled or its connection closed. */
  stopped(): Promise<void>;
  unplug(): Promise<void>;
}

/**
 * Speaks like AgentOS, with the frames of a recorded run, but does what real servers cannot be made to do: fall
 * silent, break, send garbage. Lists and health are answered as recorded.
 */
export async function startScriptedAgentOs(): Promise<ScriptedAgentOs> {
  const lists = await readRecording("3.1.10", "lists agents, teams and workflows");
  const frames = await recordedFrames();
  let scene: Scene = { kind: "answer", texts: ["Hello"] };
  let answer: Answer | null = null;
  let stop = Promise.withResolvers<void>();
  const requests: ScriptedRequest[] = [];

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? "/", "http://scripted");
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const request: ScriptedRequest = {
      method: incoming.method ?? "",
      path: url.pathname,
      query: url.searchParams,
      form: await readForm(incoming.headers["content-type"], Buffer.concat(chunks)),
      headers: incoming.headers,
    };
    requests.push(request);
    if (answer?.(request, response)) return;
    if (request.method === "POST" && request.path.endsWith("/cancel")) {
      stop.resolve();
      sendJson(response, 200, {});
    } else if (request.method === "POST" && request.path.endsWith("/runs")) {
      stop = Promise.withResolvers<void>();
      const stopped = stop;
      response.on("close", () => {
        if (!response.writableFinished) stopped.resolve();
      });
      await playScene(scene, frames, String(request.form["run_id"]), response);
    } else {
      const known = lists.find(
        (each) => each.method === request.method && each.path === request.path,
      );
      if (known) send(response, known.status, known.contentType, known.body);
      else sendJson(response, 404, { detail: "Run not found" });
    }
  }

  const server = createServer((incoming, response) => {
    response.on("error", () => response.destroy());
    handle(incoming, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    play: (next) => void (scene = next),
    setAnswer: (next) => void (answer = next),
    stopped: () => stop.promise,
    async unplug() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

type Frame = Readonly<Record<string, unknown>>;

async function recordedFrames(): Promise<ReadonlyMap<string, Frame>> {
  const exchanges = await readRecording("3.1.10", "an agent answers, with usage and under our ids");
  const run = exchanges.find((each) => each.path.endsWith("/runs")) as Exchange;
  const frames = run.body.matchAll(/^data: (.*)$/gm);
  return new Map(
    [...frames].map(([, data]) => {
      const frame = JSON.parse(data ?? "") as Frame;
      return [String(frame["event"]), frame];
    }),
  );
}

/** One event as it is on the wire, made of a recorded one. */
export function wireEvent(frame: Frame): string {
  return `event: ${String(frame["event"])}\ndata: ${JSON.stringify(frame)}\n\n`;
}

async function playScene(
  scene: Scene,
  frames: ReadonlyMap<string, Frame>,
  runId: string,
  response: ServerResponse,
): Promise<void> {
  let index = 0;
  const write = (name: string, members: Frame = {}) => {
    const frame = { ...frames.get(name), run_id: runId, event_index: index, ...members };
    index += 1;
    response.write(wireEvent(frame));
  };
  const begin = (texts: readonly string[]) => {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    write("RunStarted");
    for (const content of texts) write("RunContent", { content });
  };

  switch (scene.kind) {
    case "answer":
      begin(scene.texts);
      write("RunCompleted", { content: scene.texts.join("") });
      response.end();
      return;
    case "hang_before_answer":
      return;
    case "hang_in_answer":
      begin(scene.texts);
      return;
    case "refuse":
      sendJson(response, 500, { detail: upstreamText });
      return;
    case "overloaded":
      sendJson(response, 503, { detail: upstreamText });
      return;
    case "die_before_answer":
      response.socket?.resetAndDestroy();
      return;
    case "die_in_answer":
      begin(scene.texts);
      await new Promise((resolve) => setTimeout(resolve, 50));
      response.socket?.resetAndDestroy();
      return;
    case "end_early":
      begin(scene.texts);
      response.end();
      return;
    case "fail_in_answer":
      begin(scene.texts);
      write("RunError", {
        ...frames.get("RunStarted"),
        event: "RunError",
        run_id: runId,
        content: upstreamText,
        error_type: "model_provider_error",
      });
      response.end();
      return;
    case "garbage":
      begin([]);
      response.end(`event: RunContent\ndata: <html>${upstreamText}</html>\n\n`);
      return;
    case "huge_line": {
      begin([]);
      response.write('event: RunContent\ndata: {"event":"RunContent","content":"');
      const block = "x".repeat(65_536);
      for (let sent = 0; sent < scene.bytes && !response.destroyed; sent += block.length) {
        if (!response.write(block)) await writable(response);
      }
      response.end('"}\n\n');
    }
  }
}

/** Settles when more can be written, or when nobody reads any more. */
function writable(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, "application/json", JSON.stringify(body));
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type });
  response.end(body);
}
