import { randomUUID } from "node:crypto";
import { HttpAgent } from "@ag-ui/client";
import { HttpAgent as OldAgent } from "ag-ui-client-0";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startProtocolService, type ProtocolService } from "../support/protocol-service.ts";

let service: ProtocolService;
beforeAll(async () => {
  service = await startProtocolService({
    LIMITS_MAX_UPLOAD_SIZE: "64KB",
    SESSIONS_TITLES: "first_words",
  });
});
afterAll(() => service.close());

let user: string;
let threadId: string;
beforeEach(() => {
  user = randomUUID();
  threadId = randomUUID();
});

/** One pixel. */
const png =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const text = Buffer.from("It is all about red kites.").toString("base64");

const agentOf = (Agent: typeof HttpAgent) =>
  new Agent({
    url: `${service.url}/agui/general-chat`,
    threadId,
    headers: { "X-User-Id": user },
  });

type Input = Parameters<HttpAgent["addMessage"]>[0] & { role: "user" };
type RunParameters = Parameters<HttpAgent["runAgent"]>[0];

/** What the model is sent when an agent runs so. */
async function promptOf(agent: HttpAgent, content: unknown, more: RunParameters = {}) {
  agent.addMessage({ id: randomUUID(), role: "user", content } as Input);
  await agent.runAgent(more);
  const { body } = service.model.requests.at(-1) ?? {};
  return (body as { messages: { role: string; content: unknown }[] }).messages;
}

interface Stored {
  readonly role: string;
  readonly content: string;
  readonly attachments?: readonly { readonly name: string; readonly media_type: string }[];
}

async function stored(): Promise<readonly Stored[]> {
  const { body } = await service.native.get<{ sessions: { session_id: string }[] }>(
    `/sessions?user_id=${user}`,
  );
  const history = await service.native.get<{ messages: readonly Stored[] }>(
    `/chat/history/${body.sessions[0]?.session_id}?user_id=${user}`,
  );
  return history.body.messages;
}

const source = (value: string, mimeType: string) => ({ type: "data", value, mimeType });

/** Parts as each generation of clients has them. */
const generations = [
  [
    "1.0.0",
    HttpAgent,
    [
      { type: "text", text: "What is this?" },
      { type: "image", source: source(png, "image/png") },
      {
        type: "document",
        source: source(text, "text/plain"),
        metadata: { filename: "birds.txt" },
      },
    ],
    ["image", "birds.txt"],
  ],
  [
    "0.0.59",
    OldAgent as unknown as typeof HttpAgent,
    [
      { type: "text", text: "What is this?" },
      { type: "binary", mimeType: "image/png", data: png },
      { type: "binary", mimeType: "text/plain", data: text, filename: "birds.txt" },
    ],
    ["file", "birds.txt"],
  ],
] as const;

describe.each(generations)("with @ag-ui/client %s", (_version, Agent, parts, names) => {
  it("files come with a message: the agent sees them, and they are kept", async () => {
    const prompt = await promptOf(agentOf(Agent), parts);
    const shown = JSON.stringify(prompt.at(-1)?.content);
    expect(shown).toContain("What is this?");
    expect(shown).toContain(`data:image/png;base64,${png}`);
    expect(shown).toContain("It is all about red kites.");
    const [message] = await stored();
    expect(message).toMatchObject({
      role: "user",
      content: "What is this?",
      attachments: [
        { name: names[0], media_type: "image/png" },
        { name: names[1], media_type: "text/plain" },
      ],
    });
  });

  it("context, state and what the system says are instructions of this turn alone", async () => {
    const agent = agentOf(Agent);
    agent.addMessage({ id: randomUUID(), role: "system", content: "Speak of birds." });
    agent.setState({ page: "kites", selected: [3] });
    const context = [{ description: "Who is asking", value: "An ornithologist" }];
    const system = (prompt: Awaited<ReturnType<typeof promptOf>>) =>
      prompt
        .filter(({ role }) => role === "system" || role === "developer")
        .map(({ content }) => JSON.stringify(content))
        .join();
    const told = system(await promptOf(agent, "What do I see?", { context }));
    expect(told).toContain("Speak of birds.");
    expect(told).toContain("Who is asking:\\nAn ornithologist");
    expect(told).toContain(JSON.stringify('{"page":"kites","selected":[3]}').slice(1, -1));
    const other = agentOf(Agent);
    other.setMessages(agent.messages.filter(({ role }) => role !== "system"));
    const next = system(await promptOf(other, "And now?"));
    expect(next).not.toMatch(/birds|ornithologist|kites/);
    expect((await stored()).map(({ content }) => content)).toEqual([
      "What do I see?",
      "You said: What do I see?",
      "And now?",
      "You said: And now?",
    ]);
  });
});

it("files that are too large, too many or of no kind are refused before anything is stored", async () => {
  const file = (value: string, mimeType = "text/plain") => ({
    type: "document",
    source: source(value, mimeType),
  });
  const refused: readonly (readonly [number, unknown])[] = [
    [413, [file(Buffer.alloc(70_000).toString("base64"))]],
    [400, Array.from({ length: 30 }, () => file(text))],
    [422, [file("not base64!")]],
    [400, [{ type: "binary", mimeType: "text/plain" }]],
    [400, [{ type: "binary", mimeType: "text/plain", url: "http://example.com/a" }]],
    [400, [{ type: "image", source: { type: "url", value: "http://example.com/a.png" } }]],
  ];
  for (const [status, content] of refused) {
    const response = await fetch(`${service.url}/agui/general-chat`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-user-id": user },
      body: JSON.stringify({
        threadId,
        runId: randomUUID(),
        messages: [{ id: "1", role: "user", content }],
      }),
    });
    const body = await response.text();
    expect([status, body]).toEqual([response.status, expect.stringContaining('"RUN_ERROR"')]);
  }
  const { body } = await service.native.get<{ sessions: object[] }>(`/sessions?user_id=${user}`);
  expect(body.sessions).toEqual([]);
});
