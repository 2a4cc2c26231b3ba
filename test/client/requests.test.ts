import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createChatClient } from "../../packages/client/src/index.ts";
import { pythonForClient, startPythonDriver, type Raised } from "../support/python-client.ts";

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Options {
  readonly token?: string;
  /** In place of one that was refused; then the token is asked for. */
  readonly freshToken?: string;
  readonly apiKey?: string;
  readonly language?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Told {
  readonly kind: string;
  readonly text: string;
  readonly status?: number;
  readonly type?: string;
  readonly code?: number;
  readonly messageId?: string;
  readonly requestId?: string | null;
  readonly retryAfterSeconds?: number | null;
  /** What a failed reply had said. */
  readonly said?: string;
}

/** What a client does, in whatever language it is written. */
interface Caller {
  connect(options: Options): Promise<void>;
  agents(): Promise<unknown>;
  /** With a key of one's own, or one that the client makes. */
  create(key?: string): Promise<unknown>;
  say(headers?: Readonly<Record<string, string>>): Promise<string>;
  waits(): Promise<readonly number[]>;
  told(error: unknown): Told;
  close(): Promise<void>;
}

let url: string;
let answers: Answer[] = [];
let asked: { readonly line: string; readonly headers: IncomingHttpHeaders }[] = [];
const good = JSON.stringify({ agents: [], session_info: {} });
const server = createServer((request, response) => {
  request.resume();
  asked.push({ line: `${request.method} ${request.url}`, headers: request.headers });
  const { status = 200, headers, body = good } = answers.shift() ?? {};
  response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(body);
});
beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  answers = [];
  asked = [];
});
afterAll(() => void server.close());

function typescript(): Caller {
  let client = createChatClient({ baseUrl: url });
  const waited: number[] = [];
  return {
    async connect({ freshToken, token, ...options }) {
      const wait = async ({ delayMs }: { delayMs: number }) => void waited.push(delayMs / 1_000);
      const ask = (refused: string | null) => (refused === null ? token : freshToken);
      const given = freshToken === undefined ? token : ask;
      client = createChatClient({
        baseUrl: url,
        ...options,
        ...(given !== undefined && { token: given }),
        wait,
      });
    },
    agents: () => client.agents(),
    create: (idempotencyKey) => client.sessions.create({}, { idempotencyKey }),
    say: (headers) => client.send({ message: "hi" }, { headers }).text(),
    waits: async () => waited.splice(0),
    told(error) {
      const { name: kind, message, text, ...members } = error as Error & { text?: string };
      return { kind, text: message, ...(text !== undefined && { said: text }), ...members };
    },
    close: async () => {},
  };
}

async function python(program: string, mode: "async" | "sync"): Promise<Caller> {
  const py = await startPythonDriver(program, mode);
  return {
    async connect({ token, freshToken, apiKey, language, headers }) {
      const given = { token, fresh_token: freshToken, api_key: apiKey, language, headers };
      await py.connect("x", url, given);
    },
    agents: () => py.call("x", "agents"),
    create: (key) => py.call("x", "sessions.create", [], key ? { idempotency_key: key } : {}),
    say: async (headers) => py.text(await py.send("x", "hi", headers ? { headers } : {})),
    waits: async () => (await py.noted()).waits,
    told(error) {
      const { kind, ...members } = (error as Error).cause as Raised;
      const { message_id, request_id, retry_after_seconds, message, text, ...others } =
        members as unknown as Record<string, string>;
      return {
        kind,
        text: message,
        ...others,
        messageId: message_id,
        requestId: request_id,
        retryAfterSeconds: retry_after_seconds,
        said: text,
      } as unknown as Told;
    },
    close: () => py.close(),
  };
}

const program = await pythonForClient();
const callers: Readonly<Record<string, () => Caller | Promise<Caller>>> = {
  TypeScript: typescript,
  ...(program !== null && {
    "Python with await": () => python(program, "async"),
    "Python without": () => python(program, "sync"),
  }),
};

describe.each(Object.keys(callers))("requests of the client in %s", (name) => {
  let caller: Caller;
  beforeAll(async () => {
    caller = (await callers[name]?.()) as Caller;
  });
  beforeEach(async () => {
    await caller.connect({});
    await caller.waits();
  });
  afterAll(() => caller.close());

  const refused = async (doing: Promise<unknown>): Promise<Told> =>
    doing.then(
      () => Promise.reject(new Error("nothing was raised")),
      (error: unknown) => caller.told(error),
    );
  const stream = (...events: object[]): Answer => ({
    headers: { "Content-Type": "text/event-stream", "X-Message-ID": "m", "X-Session-ID": "s" },
    body: events
      .map((event, index) => `id: ${index + 1}\ndata: ${JSON.stringify(event)}\n\n`)
      .join("")
      .concat("data: [DONE]\n\n"),
  });

  it("show who is calling, in which language, and what else is to go with each", async () => {
    await caller.connect({
      token: "the-token",
      apiKey: "the-key",
      language: "zh",
      headers: { "X-Of-Mine": "1" },
    });
    await caller.agents();
    expect(asked[0]?.headers).toMatchObject({
      authorization: "Bearer the-token",
      "x-api-key": "the-key",
      "accept-language": "zh",
      "x-of-mine": "1",
    });
    await caller.connect({});
    await caller.agents();
    for (const header of ["authorization", "x-api-key", "x-of-mine"]) {
      expect(asked[1]?.headers).not.toHaveProperty(header);
    }
    answers = [stream({ type: "conversation_complete", message_id: "m", full_response: "Hi." })];
    expect(await caller.say({ "X-Of-Mine": "2" })).toBe("Hi.");
    expect(asked[2]?.headers["x-of-mine"]).toBe("2");
  });

  it("have the same key when they are repeated, another one each, or one's own", async () => {
    answers = [{ status: 503, body: "" }];
    for (const key of [undefined, undefined, "mine"]) await caller.create(key);
    const keys = asked.map(({ headers }) => headers["idempotency-key"]);
    expect(keys).toHaveLength(4);
    expect(keys[0]).toMatch(/^\w{32}$/);
    expect(keys[1]).toBe(keys[0]);
    expect(keys[2]).not.toBe(keys[0]);
    expect(keys[3]).toBe("mine");
  });

  it("are given up after as many tries as there may be, each later than the one before", async () => {
    answers = Array.from({ length: 5 }, () => ({ status: 503, body: "" }));
    expect(await refused(caller.agents())).toMatchObject({ kind: "ApiError", status: 503 });
    expect(asked).toHaveLength(3);
    const [first = 0, second = 0] = await caller.waits();
    expect(first).toBeGreaterThanOrEqual(0.75 * 0.25);
    expect(first).toBeLessThanOrEqual(1.25 * 0.25);
    expect(second).toBeGreaterThanOrEqual(0.75 * 0.5);
    expect(second).toBeLessThanOrEqual(1.25 * 0.5);
  });

  it("ask for another token once, and only where there is another one", async () => {
    const no = { status: 401, body: "" };
    await caller.connect({ token: "old", freshToken: "new" });
    answers = [no];
    await caller.agents();
    await caller.connect({ token: "old", freshToken: "new" });
    answers = [no, no, no];
    expect(await refused(caller.agents())).toMatchObject({ status: 401 });
    await caller.connect({ token: "old", freshToken: "old" });
    answers = [no, no, no];
    expect(await refused(caller.agents())).toMatchObject({ status: 401 });
    await caller.connect({ token: "old" });
    answers = [no, no, no];
    expect(await refused(caller.agents())).toMatchObject({ status: 401 });
    const tokens = asked.map(({ headers }) => headers.authorization?.replace("Bearer ", ""));
    expect(tokens).toEqual(["old", "new", "old", "new", "old", "old"]);
  });

  it("tell what something else than the service answers as it is, with what its headers say", async () => {
    const headers = { "Content-Type": "text/html", "X-Request-ID": "r-9", "Retry-After": "90" };
    answers = [{ status: 418, headers, body: "<h1>Teapot</h1>" }];
    expect(await refused(caller.agents())).toMatchObject({
      kind: "ApiError",
      text: "418 I'm a Teapot",
      status: 418,
      type: "unknown",
      requestId: "r-9",
      retryAfterSeconds: 90,
    });
    const odd = { "Retry-After": "Wed, 21 Oct 2065 07:28:00 GMT" };
    answers = [{ status: 418, headers: odd, body: "[]" }];
    expect(await refused(caller.agents())).toMatchObject({
      type: "unknown",
      retryAfterSeconds: null,
    });
  });

  it("tell of a reply that fails all that is known of it", async () => {
    const known = { message_id: "m", session_id: "s" };
    const fault = { error: "It broke", error_type: "agent_error", code: 502 };
    answers = [
      stream(
        { ...known, type: "assistant_chunk", chunk: "Half" },
        { ...known, ...fault, type: "error", full_response: "Half" },
      ),
    ];
    expect(await refused(caller.say())).toMatchObject({
      kind: "ReplyError",
      text: "It broke",
      type: "agent_error",
      code: 502,
      messageId: "m",
      said: "Half",
    });
  });
});
