import { randomUUID } from "node:crypto";
import { startService } from "../test/support/start-service.ts";
import { cpuMs, median, startScript } from "./processes.ts";

const tokens = 200;
const everyMs = 20;
const streams = 40;
const rounds = 5;
const warmUps = 200;

interface Asked {
  readonly path: string;
  readonly body: object;
  /** Where the body does not say whose it is. */
  readonly user?: string;
}

/** How each protocol has a reply streamed that is so many tokens long. A further protocol is a further line. */
const views: Readonly<Record<string, (count: number) => Asked>> = {
  native: (count) => ({
    path: "/chat/message/stream",
    body: { user_id: randomUUID(), message: `${count}` },
  }),
  completions: (count) => ({
    path: "/v1/chat/completions",
    body: {
      model: "general-chat",
      stream: true,
      user: randomUUID(),
      store: true,
      messages: [{ role: "user", content: `${count}` }],
    },
  }),
  responses: (count) => ({
    path: "/v1/responses",
    body: { model: "general-chat", stream: true, user: randomUUID(), input: `${count}` },
  }),
  "ag-ui": (count) => ({
    path: "/agui/general-chat",
    user: randomUUID(),
    body: {
      threadId: randomUUID(),
      runId: randomUUID(),
      messages: [{ id: "1", role: "user", content: `${count}` }],
    },
  }),
  "ai-sdk": (count) => ({
    path: "/ai/general-chat",
    user: randomUUID(),
    body: {
      id: randomUUID(),
      trigger: "submit-message",
      messages: [{ id: randomUUID(), role: "user", parts: [{ type: "text", text: `${count}` }] }],
    },
  }),
  a2a: (count) => ({
    path: "/a2a/general-chat",
    user: randomUUID(),
    body: {
      jsonrpc: "2.0",
      id: 1,
      method: "SendStreamingMessage",
      params: {
        message: { messageId: randomUUID(), role: "ROLE_USER", parts: [{ text: `${count}` }] },
      },
    },
  }),
  mcp: (count) => ({
    path: "/mcp",
    user: randomUUID(),
    body: {
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: {
        name: "ask_agent",
        arguments: { agent_id: "general-chat", message: `${count}` },
        _meta: { progressToken: 1 },
      },
    },
  }),
};

async function readStream(url: string, { path, body, user }: Asked) {
  const response = await fetch(url + path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "a2a-version": "1.0",
      ...(user !== undefined && { "x-user-id": user }),
    },
    body: JSON.stringify(body),
  });
  if (!response.ok || response.body === null) throw new Error(await response.text());
  for await (const _ of response.body);
}

/** What a token costs over each protocol, beside the native stream, in one run: CPU of the service, replies and all. */
export async function benchViews(): Promise<void> {
  const upstream = await startScript("upstream.ts", everyMs);
  const service = await startService({
    env: { OPENAI_BASE_URL: `http://127.0.0.1:${upstream.port}/v1` },
  });
  const names = Object.keys(views);
  const costs = new Map<string, number[]>(names.map((name) => [name, []]));
  // Until the compilers have done their work, which for the embedded database takes some hundred statements.
  for (let index = 0; index < warmUps; index += 1) {
    await Promise.all(Object.values(views).map((view) => readStream(service.url, view(4))));
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, view] of Object.entries(views)) {
      const before = cpuMs(service.process);
      await Promise.all(
        Array.from({ length: streams }, () => readStream(service.url, view(tokens))),
      );
      costs.get(name)?.push(((cpuMs(service.process) - before) * 1000) / (streams * tokens));
    }
  }
  await service.stop();
  upstream.process.kill();
  console.log(`views: ${streams} streams of ${tokens} tokens, ${rounds} rounds, medians`);
  const native = costs.get("native") ?? [];
  for (const [name, each] of costs) {
    const ratio = median(each.map((cost, round) => cost / (native[round] ?? Number.NaN)));
    console.log(
      `  ${name}: ${median(each).toFixed(0)} us of CPU a token, ${ratio.toFixed(2)} x native`,
    );
  }
}
