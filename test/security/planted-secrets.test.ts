import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { SignJWT } from "jose";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { eventually } from "../support/stage.ts";
import { createDataDir, startService, type TestService } from "../support/start-service.ts";
import { recordingForm } from "./stage.ts";

/** Unmistakable, and found as well when it was cut or quoted. */
const plant = (name: string) => `planted${name}${randomBytes(12).toString("hex")}`;

const secrets = {
  "API key": plant("key"),
  "security.secret_key": plant("secret"),
  "key of the models": plant("model"),
  "password of the database": plant("password"),
  "message text": plant("message"),
  "file name": plant("file"),
  "idempotency key": plant("idempotency"),
  "metadata value": plant("metadata"),
  "upstream error text": plant("upstream"),
  "secret of the webhook": plant("webhook"),
  "user's context": plant("context"),
  title: plant("title"),
  instructions: plant("instructions"),
  transcript: plant("transcript"),
  "agent's words": plant("reply"),
  attachment: plant("attachment"),
  "search words": plant("search"),
  "token in a query": plant("query"),
  "wrong API key": plant("wrong"),
};

/** Takes everything and keeps it. */
async function startRecorder(answer: (path: string) => { status: number; body: string }) {
  const received: string[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.once("end", () => {
      received.push(
        `${JSON.stringify(request.headers)}\n${Buffer.concat(chunks).toString("latin1")}`,
      );
      const { status, body } = answer(request.url ?? "");
      response.writeHead(status, { "content-type": "application/json" }).end(body);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

type Recorder = Awaited<ReturnType<typeof startRecorder>>;

let postgres: TestPostgres | null;
let model: OpenAiServer;
let transcriber: Recorder;
let collector: Recorder;
let receiver: Recorder;
let service: TestService;
let token: string;
let transcribes = true;
/** Every error that a caller was told, and every page that anybody may read. */
const told: string[] = [];

beforeAll(async () => {
  postgres = await startPostgres({ own: true });
  let databaseUrl: string | undefined;
  if (postgres !== null) {
    const fresh = new URL(await postgres.freshDatabase());
    await postgres.query(
      `CREATE ROLE planted SUPERUSER LOGIN PASSWORD '${secrets["password of the database"]}'`,
    );
    fresh.username = "planted";
    fresh.password = secrets["password of the database"];
    databaseUrl = fresh.href;
  }
  model = await startOpenAiServer({ apiKey: secrets["key of the models"] });
  transcriber = await startRecorder(() =>
    transcribes
      ? { status: 200, body: JSON.stringify({ text: secrets.transcript }) }
      : {
          status: 500,
          body: JSON.stringify({ error: { message: secrets["upstream error text"] } }),
        },
  );
  collector = await startRecorder(() => ({ status: 200, body: "{}" }));
  receiver = await startRecorder(() => ({ status: 500, body: secrets["upstream error text"] }));
  token = await new SignJWT({ sub: "alice" })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(secrets["security.secret_key"]));
  service = await startService({
    dataDir: await createDataDir(),
    env: {
      ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
      AUTH_MODE: "jwt",
      SECURITY_SECRET_KEY: secrets["security.secret_key"],
      AUTH_API_KEYS: JSON.stringify([
        {
          name: "reports",
          sha256: createHash("sha256").update(secrets["API key"]).digest("hex"),
          user_id: "reports",
        },
      ]),
      MODELS_API_URL: model.url,
      MODELS_API_KEY: secrets["key of the models"],
      VOICE_STT_PROVIDER: "openai",
      VOICE_STT_API_URL: transcriber.url,
      VOICE_TTS_PROVIDER: "flite",
      EVENTS_URL: `${receiver.url}/events`,
      EVENTS_SECRET: secrets["secret of the webhook"],
      MONITORING_OTLP_ENDPOINT: collector.url,
      LOGGING_LEVEL: "DEBUG",
      LOGGING_FILE_PATH: "all.log",
      LOGGING_ERROR_FILE_PATH: "errors.log",
      LOGGING_ACCESS_FILE_PATH: "access.log",
    },
  });
});
afterAll(async () => {
  if (service.process.exitCode === null) await service.kill();
  await model.close();
  for (const recorder of [transcriber, collector, receiver]) recorder.close();
  await postgres?.stop();
  await rm(service.dataDir, { recursive: true, force: true });
});

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(service.url + path, {
    ...init,
    headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) },
  });
  if (response.status >= 400) told.push(await response.clone().text());
  told.push(JSON.stringify([...response.headers]));
  return response;
}

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

async function converse(): Promise<void> {
  const created = await post(
    "/chat/session",
    {
      metadata: { note: secrets["metadata value"] },
      session_config: { title: secrets.title, instructions: secrets.instructions },
    },
    { "idempotency-key": secrets["idempotency key"] },
  );
  const { session_id: sessionId } = (await created.json()) as { session_id: string };
  const message = {
    session_id: sessionId,
    message: secrets["message text"],
    context: { about: secrets["user's context"] },
    metadata: { note: secrets["metadata value"] },
    attachments: [
      {
        name: `${secrets.attachment}.png`,
        media_type: "image/png",
        data: Buffer.from(secrets.attachment).toString("base64"),
      },
    ],
  };
  model.enqueue({ tokens: [secrets["agent's words"]] });
  expect((await post("/chat/message", message)).status).toBe(200);
  // The same key for another request.
  const conflict = await post("/chat/message", message, {
    "idempotency-key": secrets["idempotency key"],
  });
  expect(conflict.status).toBe(409);

  const upstream = secrets["upstream error text"];
  const refusal = JSON.stringify({ error: { message: upstream, code: upstream, type: upstream } });
  // However often it is tried, without this option or that.
  model.setRespond(() => ({ fault: { kind: "status", status: 400, body: refusal } }));
  expect((await post("/chat/message", message)).status).toBeGreaterThanOrEqual(500);
  model.setRespond(() => ({ fault: { kind: "status", status: 404, body: refusal } }));
  const completion = { messages: [{ role: "user", content: secrets["message text"] }] };
  expect((await post("/v1/chat/completions", completion)).status).toBeGreaterThanOrEqual(500);
  for (const [name, args] of [
    ["ask_agent", { message: secrets["message text"] }],
    ["ask_agent", { massage: secrets["message text"] }],
    ["search_history", { q: secrets["search words"] }],
    [secrets["search words"], {}],
  ] as const) {
    const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } };
    const accept = { accept: "application/json, text/event-stream" };
    const answer = await post("/mcp", call, accept);
    expect(answer.status).toBe(200);
    if (name === "ask_agent") told.push(await answer.text());
  }
  for (const [method, said] of [
    ["SendMessage", { parts: [{ text: secrets["message text"] }] }],
    ["SendStreamingMessage", { parts: [{ url: secrets["message text"] }] }],
    ["message/send", { parts: [{ kind: secrets["message text"] }] }],
    [secrets["search words"], {}],
  ] as const) {
    const asked = {
      messageId: "m-1",
      role: method === "message/send" ? "user" : "ROLE_USER",
      ...said,
    };
    const call = { jsonrpc: "2.0", id: 1, method, params: { message: asked } };
    const answer = await post("/a2a/general-chat", call, {});
    expect(answer.status).toBe(200);
    // Others tell what was asked, which is the caller's own.
    if (method === "SendStreamingMessage") told.push(await answer.text());
  }
  const parts = [
    { type: "text", text: secrets["message text"] },
    {
      type: "file",
      filename: `${secrets.attachment}.txt`,
      mediaType: "text/plain",
      url: `data:text/plain;base64,${Buffer.from(secrets.attachment).toString("base64")}`,
    },
  ];
  for (const wrong of [{}, { parts: secrets["message text"] }, { role: secrets["message text"] }]) {
    const messages = [{ id: "m1", role: "user", parts, ...wrong }];
    told.push(await (await post("/ai/chat", { id: "a chat", messages })).text());
  }
  const stream = await post("/chat/message/stream", { ...message, attachments: [] });
  const text = await stream.text();
  expect(text).toContain('"type":"error"');
  // What was said is the caller's own, what the agent's server said is not.
  told.push(text.slice(text.indexOf('"type":"error"')));
  for (const fault of [
    { kind: "die" },
    { kind: "error_frame", error: { message: upstream, code: upstream } },
    { kind: "garbage", text: upstream },
  ] as const) {
    model.setRespond(() => ({ tokens: ["half", "more"], fault }));
    const failed = await (await post("/chat/message/stream", message)).text();
    told.push(failed.slice(failed.indexOf('"type":"error"')));
  }

  model.setRespond(() => ({ tokens: [secrets["agent's words"]] }));

  await ask(`/chat/history/${sessionId}?q=${secrets["search words"]}`);
  await ask(`/chat/history/${sessionId}?limit=none&q=${secrets["search words"]}`);
  await ask(`/sessions?q=${secrets["search words"]}&limit=0`);
  await ask(`/sessions?token=${secrets["token in a query"]}`);
  await ask(`/nowhere?token=${secrets["token in a query"]}`, { headers: { authorization: "" } });
}

async function breakThings(): Promise<void> {
  const content = secrets["message text"];
  await post("/chat/message", `{"message": "${content}", `);
  await post("/chat/message", { message: { text: content } });
  await post("/chat/message", { message: `${content} \u0000` });
  await post("/chat/message", { message: "x", on_busy: content });
  await post("/chat/message", { message: content.repeat(500) });
  await post("/chat/message", content, { "content-type": "text/plain" });
  await post("/chat/message", { message: "x", metadata: secrets["metadata value"] });
  await post("/chat/message", { message: "x", context: secrets["user's context"] });
  await post("/chat/session", {}, { "idempotency-key": secrets["idempotency key"].repeat(12) });
  await ask("/sessions", { headers: { authorization: "", "x-api-key": secrets["API key"] } });
  for (const authorization of [
    `Bearer ${secrets["wrong API key"]}`,
    `Basic ${secrets["wrong API key"]}`,
    `Bearer ${token}x`,
    `Bearer ${token}, Bearer ${token}`,
    token,
  ]) {
    expect((await ask("/sessions", { headers: { authorization } })).status).toBe(401);
  }
  const wrongKey = { authorization: "", "x-api-key": secrets["wrong API key"] };
  expect((await ask("/sessions", { headers: wrongKey })).status).toBe(401);
}

async function speak(): Promise<void> {
  const spoken = await post("/chat/voice/synthesize", { text: "Good morning to you." });
  const sound = new Uint8Array(await spoken.arrayBuffer());
  for (const works of [true, false]) {
    transcribes = works;
    for (const [path, fields] of [
      ["/chat/voice", { enable_tts: "false" }],
      ["/chat/voice/transcribe", {}],
    ] as const) {
      const form = recordingForm(sound, fields);
      form.set("audio_file", new Blob([sound]), `${secrets["file name"]}.wav`);
      const { status } = await ask(path, { method: "POST", body: form });
      expect(status === 200).toBe(works);
    }
  }
  const broken = recordingForm(new Uint8Array([1, 2, 3]), { speed: secrets["message text"] });
  broken.set("audio_file", new Blob(["nothing"]), `${secrets["file name"]}.wav`);
  expect((await ask("/chat/voice", { method: "POST", body: broken })).status).toBe(422);
  const wrongName = new FormData();
  wrongName.set("audio_file", new Blob(["nothing"]), `${secrets["file name"]}.wav`);
  await ask("/chat/voice/transcribe", { method: "POST", body: wrongName });
  await ask("/v1/audio/transcriptions", { method: "POST", body: wrongName });
  await ask("/copilotkit/transcribe", { method: "POST", body: wrongName });
}

async function useWebSocket(): Promise<void> {
  const socket = new WebSocket(
    `${service.url.replace("http", "ws")}/chat/ws?token=${secrets["token in a query"]}`,
  );
  socket.on("message", (data: Buffer) => {
    const said = data.toString();
    if (said.includes('"error"')) told.push(said);
  });
  await once(socket, "open");
  socket.send(JSON.stringify({ type: "auth", token }));
  await once(socket, "message");
  for (const wrong of [
    `{"message": "${secrets["message text"]}`,
    JSON.stringify({ type: secrets["message text"] }),
    JSON.stringify({ type: "chat", message: { text: secrets["message text"] } }),
  ]) {
    socket.send(wrong);
    await once(socket, "message");
  }
  socket.send(JSON.stringify({ type: "auth", token: secrets["wrong API key"] }));
  await once(socket, "message");
  socket.close();
  await once(socket, "close");
}

async function loseTheDatabase(server: TestPostgres): Promise<void> {
  await server.stopServer("immediate");
  const message = { message: secrets["message text"], metadata: { a: secrets["metadata value"] } };
  expect((await post("/chat/message", message)).status).toBe(503);
  await ask(`/sessions?q=${secrets["search words"]}`);
  await readOpenPages();
  await server.startServer();
  await eventually("the database is used again", async () => (await ask("/sessions")).ok);
}

async function readOpenPages(): Promise<void> {
  for (const path of [
    "/metrics",
    "/health",
    "/health/liveness",
    "/health/readiness",
    "/health/detailed",
    "/health/metrics",
    "/health/config",
    "/info",
    "/",
    "/openapi.json",
    "/chat/agents",
    "/chat/models",
    "/chat/voices",
  ]) {
    told.push(await (await ask(path)).text());
  }
}

it("secrets and content reach no log, no error, no metric, no trace and no page that is open", async () => {
  await converse();
  await breakThings();
  await speak();
  await useWebSocket();
  await readOpenPages();
  await eventually("an event was sent", () => receiver.received.length > 0);
  if (postgres !== null) await loseTheDatabase(postgres);
  await eventually("spans were sent", () => collector.received.length > 0);
  await service.stop();

  const names = (await readdir(service.dataDir)).filter((name) => /\.log/.test(name));
  expect(names.length).toBeGreaterThanOrEqual(3);
  const files = await Promise.all(
    names.map((name) => readFile(join(service.dataDir, name), "utf8")),
  );
  const places = {
    "standard output": service.output(),
    files: files.join("\n"),
    "errors and open pages": told.join("\n"),
    traces: collector.received.join("\n"),
    // What is meant for its receiver is not a secret to it; content is.
    events: receiver.received.join("\n"),
  };
  // Else there would be nothing to find them in.
  expect(places["standard output"]).toContain('"level":"debug"');
  expect(places.files).toContain('"level":"error"');
  const [, payload = "", signature = ""] = token.split(".");
  const found = Object.entries({ ...secrets, token: payload, signature }).flatMap(
    ([name, secret]) =>
      Object.entries(places).flatMap(([place, text]) => {
        // Cut-off and Base64 forms too.
        const forms = [
          secret,
          secret.slice(0, 24),
          Buffer.from(secret).toString("base64").slice(0, 30),
        ];
        const at = forms.map((form) => text.indexOf(form)).find((index) => index >= 0);
        if (at === undefined) return [];
        return [`${name} in ${place}: ${text.slice(Math.max(0, at - 300), at + 100)}`];
      }),
  );
  expect(found.join("\n\n")).toBe("");
}, 240_000);

it("a start that fails does not tell them either", async () => {
  const password = secrets["password of the database"];
  const wrong = [
    { DATABASE_URL: `postgresql://user:${password}@127.0.0.1:1/none` },
    { DATABASE_URL: `mysql://user:${password}@127.0.0.1/none` },
    { SERVICE_PORT: "x", SECURITY_SECRET_KEY: secrets["security.secret_key"], AUTH_MODE: "jwt" },
    { AUTH_API_KEYS: `[{"name": "${secrets["API key"]}"` },
  ];
  for (const env of wrong) {
    const refusal = await startService({
      env: { ...env, DATABASE_CONNECT_TIMEOUT_MS: "300" },
    }).then(() => "it started", String);
    expect(refusal).toContain("before it was ready");
    for (const secret of Object.values(secrets)) expect(refusal).not.toContain(secret);
  }
}, 240_000);
