import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import {
  startOpenAiServer,
  type OpenAiServer,
  type RecordedRequest,
} from "../support/openai-server.ts";
import type { Turn } from "../support/scripted-turn.ts";
import { startService, type TestService } from "../support/start-service.ts";

interface Context {
  readonly messages: number;
  readonly dropped: number;
  readonly summarised: number;
}

interface Message {
  readonly message_id: string;
  readonly parent_id: string | null;
  readonly role: string;
  readonly content: string;
  readonly metadata: { readonly kind?: string; readonly covers?: readonly string[] };
  readonly context?: Context;
}

interface History {
  readonly messages: readonly Message[];
  readonly pagination: { readonly total: number };
  readonly session_info: { readonly title: string; readonly message_count: number };
}

const systemOf = (request: RecordedRequest): string => {
  const [first] = request.body["messages"] as { role: string; content: string }[];
  return first?.role === "system" ? first.content : "";
};
const isTitle = (request: RecordedRequest) => systemOf(request).startsWith("Write a title");
const isSummary = (request: RecordedRequest) => systemOf(request).startsWith("Put this conver");
const usage = { prompt_tokens: 7, completion_tokens: 3 };

let model: OpenAiServer;
let service: TestService;
let client: Client;
/** What a model answers that is to write a title, or a summary. */
let title: (request: RecordedRequest) => Turn | Promise<Turn>;
let summary: (request: RecordedRequest) => Turn | Promise<Turn>;

beforeAll(async () => {
  model = await startOpenAiServer({
    respond: (request) => {
      if (isTitle(request)) return title(request);
      if (isSummary(request)) return summary(request);
      return { tokens: ["ok"], usage: null };
    },
  });
  service = await startService({
    env: {
      OPENAI_BASE_URL: model.url,
      MODELS_CONTEXT_TOKENS: "4000",
      SESSIONS_TITLES: "model",
      SESSIONS_LONG_CONVERSATIONS: "summarise",
    },
  });
  client = createClient(service.url);
});
afterAll(async () => {
  await service.stop();
  await model.close();
});

let summaries = 0;
afterEach(() => forget());
const forget = () => {
  title = () => ({ tokens: ["A ", "title"], usage });
  summaries = 0;
  summary = () => ({ tokens: [`summary ${(summaries += 1)}`], usage });
};
forget();

const calls = (which: (request: RecordedRequest) => boolean) => model.requests.filter(which);

async function say(sessionId: string | null, message: string, more: object = {}) {
  const { status, body } = await client.send<{
    session_id: string;
    message_id: string;
    context: Context;
  }>("POST", "/chat/message", {
    ...(sessionId === null ? { user_id: "ann" } : { session_id: sessionId }),
    message,
    ...more,
  });
  expect(status).toBe(200);
  return body;
}

const historyOf = async (sessionId: string, query = "") =>
  (await client.get<History>(`/chat/history/${sessionId}?limit=200${query}`)).body;
const summariesOf = async (sessionId: string, query = "") =>
  (await historyOf(sessionId, query)).messages.filter(({ role }) => role === "system");
const titleOf = async (sessionId: string) => (await historyOf(sessionId)).session_info.title;
const usageOf = async (user: string, query: string) =>
  (
    await client.get<{ rows: Record<string, unknown>[]; total: Record<string, unknown> }>(
      `/usage?user_id=${user}&${query}`,
    )
  ).body;

describe("a title", () => {
  it("is written by the model after the first reply, once, and is used for by kind", async () => {
    title = () => ({ tokens: ['**Title: "About', ' whales."**\n\nMore words'], usage });
    const before = calls(isTitle).length;
    const { session_id: session } = await say(null, "tell me of whales", { user_id: "titled" });
    await expect.poll(() => titleOf(session)).toBe("About whales");
    await say(session, "and of dolphins");
    await say(session, "and of seals");
    expect(calls(isTitle)).toHaveLength(before + 1);
    expect(JSON.stringify(calls(isTitle).at(-1)?.body["messages"])).toContain("of whales");
    const { rows, total } = await usageOf("titled", "group_by=kind");
    expect(rows).toEqual([
      expect.objectContaining({ kind: "reply", replies: 3, input_tokens: 0 }),
      expect.objectContaining({ kind: "title", replies: 0, input_tokens: 7, output_tokens: 3 }),
    ]);
    expect(total).toMatchObject({ replies: 3, input_tokens: 7 });
    expect((await usageOf("titled", "kind=title")).total).toMatchObject({ input_tokens: 7 });
    expect((await usageOf("titled", `session_id=${session}`)).total).toEqual(total);
    expect((await usageOf("titled", "kind=reply")).total).toMatchObject({ input_tokens: 0 });
    const { status } = await client.get("/usage?user_id=titled&kind=other");
    expect(status).toBe(422);
  });

  it("has 60 characters at most, whatever signs they are of", async () => {
    title = () => ({ tokens: ["🐋".repeat(70)], usage });
    const { session_id: session } = await say(null, "whales in signs");
    await expect.poll(() => titleOf(session)).toBe(`${"🐋".repeat(59)}…`);
  });

  it("never takes the place of one that somebody has set meanwhile", async () => {
    const held = Promise.withResolvers<Turn>();
    title = () => held.promise;
    const before = calls(isTitle).length;
    const { session_id: session } = await say(null, "the same words");
    await expect.poll(() => calls(isTitle).length).toBe(before + 1);
    await client.send("PATCH", `/sessions/${session}`, { title: "the same words" });
    held.resolve({ tokens: ["Another"], usage });
    const { session_id: later } = await say(null, "a later one");
    await expect.poll(() => titleOf(later)).toBe("Another");
    expect(await titleOf(session)).toBe("the same words");
  });

  it.each([
    ["with the session", { session_config: { title: "Mine" } }],
    ["with the message", { session_config: { title: "Mine" } }],
  ])("is not asked for where one was given %s", async (how, config) => {
    const before = calls(isTitle).length;
    const session = how === "with the session" ? await client.session("ann", config) : null;
    const { session_id: sessionId } = await say(session, "x", session === null ? config : {});
    expect(await titleOf(sessionId)).toBe("Mine");
    const { session_id: later } = await say(null, "sentinel of titles");
    await expect.poll(() => titleOf(later)).toBe("A title");
    expect(calls(isTitle)).toHaveLength(before + 1);
  });

  it("stays the first words where the model fails, which is tried once and told once", async () => {
    title = () => ({ fault: { kind: "status", status: 400, body: { error: { message: "no" } } } });
    const { session_id: session } = await say(null, "the first words");
    await expect.poll(() => service.output()).toContain(session);
    await expect
      .poll(() =>
        service
          .output()
          .split("\n")
          .filter((line) => line.includes("could not write")),
      )
      .toHaveLength(1);
    const asked = calls(isTitle).length;
    await say(session, "more");
    title = () => ({ tokens: ["Works"], usage });
    const { session_id: later } = await say(null, "later");
    await expect.poll(() => titleOf(later)).toBe("Works");
    expect(await titleOf(session)).toBe("the first words");
    expect(calls(isTitle)).toHaveLength(asked + 1);
  });

  it("is written after the first whole reply, not after one that failed", async () => {
    const no = { kind: "status", status: 400, body: { error: { message: "no" } } } as const;
    // What is refused is tried once more with less.
    model.enqueue({ fault: no }, { fault: no });
    const session = await client.session("ann");
    const before = calls(isTitle).length;
    const message = { session_id: session, message: "fails first" };
    expect((await client.send("POST", "/chat/message", message)).status).toBe(502);
    expect(await titleOf(session)).toBe("fails first");
    await say(session, "x");
    await expect.poll(() => titleOf(session)).toBe("A title");
    expect(calls(isTitle)).toHaveLength(before + 1);
  });
});

describe("a summary", () => {
  const long = (text: string) => `${text} ${"word ".repeat(500)}`;

  /** A conversation whose model could not be sent all of it, and its first summary. */
  const overfull = async (first: object = {}) => {
    const sessionId = await client.session("sam", { session_config: { title: "t" } });
    if ("parent_message_id" in first) await say(sessionId, "aside");
    let turns = 0;
    for (; (await summariesOf(sessionId)).length === 0; turns += 1) {
      const more = turns === 0 ? first : {};
      const { context } = await say(sessionId, long(`turn ${turns}`), more);
      if (context.dropped === 0) continue;
      await expect.poll(async () => (await summariesOf(sessionId)).length).toBe(1);
    }
    return { sessionId, turns };
  };

  it("stands for what fell out, beside the path, and the next prompts have it", async () => {
    const { sessionId, turns } = await overfull();
    const { messages, pagination, session_info: info } = await historyOf(sessionId);
    expect(messages).toHaveLength(2 * turns + 1);
    expect([pagination.total, info.message_count]).toEqual([2 * turns, 2 * turns]);
    const at = messages.findIndex(({ role }) => role === "system");
    const [first, last, found] = [messages[0], messages[at - 1], messages[at]];
    expect(found).toMatchObject({
      content: "summary 1",
      parent_id: last?.message_id,
      metadata: { kind: "summary", covers: [first?.message_id, last?.message_id] },
    });
    expect(last?.role).toBe("assistant");
    expect(messages[at + 1]?.parent_id).toBe(last?.message_id);
    const asked = JSON.stringify(calls(isSummary).at(-1)?.body["messages"]);
    expect(asked).toContain("turn 0 word");
    const { context, message_id: id } = await say(sessionId, "and now?");
    expect(context).toMatchObject({ dropped: 0, summarised: at });
    expect(context.messages).toBe(2 * turns - at + 1);
    const sent = model.requests.at(-1)?.body["messages"] as { content: string }[];
    expect(sent[0]?.content).toContain("summary 1");
    expect(JSON.stringify(sent)).not.toContain("turn 0 word");
    const { body } = await client.get<Message>(`/chat/message/${id}`);
    expect(body.context).toEqual(context);
    const { body: alone } = await client.get<Message>(`/chat/message/${found?.message_id}`);
    expect(alone).toEqual(found);
    expect((await usageOf("sam", "kind=summary")).total).toMatchObject({ input_tokens: 7 });
  });

  it("is not made again while it is good enough, and then from the one before it on", async () => {
    const { sessionId } = await overfull();
    const asked = calls(isSummary).length;
    let more = 0;
    while ((await say(sessionId, long(`more ${more}`))).context.dropped === 0) more += 1;
    expect(more).toBeGreaterThan(1);
    await expect.poll(async () => (await summariesOf(sessionId)).length).toBe(2);
    expect(calls(isSummary)).toHaveLength(asked + 1);
    const text = JSON.stringify(calls(isSummary).at(-1)?.body["messages"]);
    expect(text).toContain("Earlier summary:\\nsummary 1");
    expect(text).not.toContain("turn 0 word");
    const [one, two] = await summariesOf(sessionId);
    expect(two?.metadata.covers?.[0]).toBe(one?.metadata.covers?.[0]);
  });

  it("is used on the branches that hold what it covers, and goes with it", async () => {
    const { sessionId } = await overfull();
    const [found] = await summariesOf(sessionId);
    const last = found?.metadata.covers?.[1] ?? "";
    const branch = await say(sessionId, "another way", { parent_message_id: last });
    expect(branch.context).toMatchObject({ messages: 1, dropped: 0 });
    expect(branch.context.summarised).toBeGreaterThan(0);
    const root = await say(sessionId, "anew", { parent_message_id: null });
    expect(root.context).toMatchObject({ messages: 1, dropped: 0, summarised: 0 });
    expect(await summariesOf(sessionId)).toEqual([]);
    expect(await summariesOf(sessionId, "&path=all")).toHaveLength(1);
    expect(await summariesOf(sessionId, "&role=user")).toEqual([]);
    const { body: hits } = await client.get<{ hits: unknown[] }>(
      `/chat/search?user_id=sam&q=summary`,
    );
    expect(hits.hits).toEqual([]);
    await client.send("DELETE", `/chat/message/${found?.metadata.covers?.[0]}`);
    expect(await summariesOf(sessionId, "&path=all")).toEqual([]);
    const { status } = await client.get(`/chat/message/${found?.message_id}`);
    expect(status).toBe(404);
  });

  it("goes along with a fork that holds what it covers, and is not made again there", async () => {
    const { sessionId } = await overfull({ parent_message_id: null });
    const { messages } = await historyOf(sessionId);
    const asked = calls(isSummary).length;
    const fork = async (messageId?: string) => {
      const { body } = await client.send<{ session_id: string }>(
        "POST",
        `/sessions/${sessionId}/fork`,
        { message_id: messageId },
      );
      return body.session_id;
    };
    const copy = await fork(messages.at(-1)?.message_id);
    const copied = (await historyOf(copy)).messages;
    expect(copied.map(({ role, content }) => [role, content])).toEqual(
      messages.map(({ role, content }) => [role, content]),
    );
    const at = copied.findIndex(({ role }) => role === "system");
    expect(copied[at]).toMatchObject({
      parent_id: copied[at - 1]?.message_id,
      metadata: { covers: [copied[0]?.message_id, copied[at - 1]?.message_id] },
    });
    expect((await say(copy, "and now?")).context).toMatchObject({ dropped: 0, summarised: at });
    expect(JSON.stringify(model.requests.at(-1)?.body["messages"])).toContain("summary 1");
    expect(calls(isSummary)).toHaveLength(asked);
    expect(await summariesOf(await fork(messages[at - 3]?.message_id))).toEqual([]);
    // What happens to the one is nothing to the other.
    await client.send("DELETE", `/sessions/${sessionId}`);
    expect(await summariesOf(copy)).toHaveLength(1);
  });

  it("goes without where the model fails, in one line, and the conversation goes on", async () => {
    summary = () => ({
      fault: { kind: "status", status: 400, body: { error: { message: "no" } } },
    });
    const sessionId = await client.session("sam", { session_config: { title: "t" } });
    let dropped = 0;
    for (let turn = 0; dropped === 0; turn += 1) {
      dropped = (await say(sessionId, long(`turn ${turn}`))).context.dropped;
    }
    const lines = () =>
      service
        .output()
        .split("\n")
        .filter((line) => line.includes(sessionId) && line.includes("could not write"));
    await expect.poll(() => lines().length).toBe(1);
    forget();
    const { context } = await say(sessionId, long("goes on"));
    expect(context).toMatchObject({ summarised: 0 });
    await expect.poll(async () => (await summariesOf(sessionId)).length).toBe(1);
  });
});
