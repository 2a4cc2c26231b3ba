import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createConversation } from "../../packages/client/src/conversation.ts";
import { createChatClient } from "../../packages/client/src/index.ts";
import { scripts } from "../support/acted-scripts.ts";
import { startActedService, type ActedService } from "../support/acted-service.ts";
import { startEventCuttingProxy, type EventCuttingProxy } from "../support/event-cutting-proxy.ts";

let acted: ActedService;
let proxy: EventCuttingProxy;
let release = () => {};

beforeAll(async () => {
  acted = await startActedService({
    ...scripts,
    held: async function* () {
      yield { type: "text", text: "One. " };
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      yield { type: "text", text: "Two." };
      yield { type: "finish", reason: "stop" };
    },
  });
  proxy = await startEventCuttingProxy(() => acted.url);
});
const leaving: (() => void)[] = [];
afterEach(() => {
  for (const leave of leaving.splice(0)) leave();
  proxy.refuse(0, 0, {}, "");
});
afterAll(async () => {
  release();
  proxy.close();
  await acted.close();
});

const defaults = { agent_id: "actor" };
const begin = (userId: string, options: object = {}) => {
  const client = createChatClient({ baseUrl: proxy.url, userId, wait: async () => {} });
  const conversation = createConversation(client, { defaults, ...options });
  const close = conversation.open();
  leaving.push(close);
  return { client, conversation, close };
};
type Conversation = ReturnType<typeof createConversation>;
const texts = ({ getState }: Conversation) => getState().messages.map(({ content }) => content);

/** The messages of the conversation, as the service has them in the end. */
const settled = async (conversation: Conversation, ...wanted: string[]) => {
  await expect.poll(() => texts(conversation)).toEqual(wanted);
  await expect.poll(() => conversation.getState().isReplying).toBe(false);
};

describe("a conversation", () => {
  it("shows question and answer in their order while the answer is made, and each once", async () => {
    const { conversation } = begin("ann");
    const seen: string[][] = [];
    conversation.subscribe(() => {
      const { sending } = conversation.getState();
      seen.push([...sending.map((each) => `… ${each}`), ...texts(conversation)]);
    });
    await conversation.send("held");
    await expect.poll(() => texts(conversation)).toEqual(["held", "One. "]);
    expect(conversation.getState()).toMatchObject({ isReplying: true, sending: [] });
    release();
    await settled(conversation, "held", "One. Two.");
    await conversation.send("replaced");
    await settled(conversation, "held", "One. Two.", "replaced", "Right words and more");
    expect(seen).toContainEqual(["… held"]);
    for (const shown of seen) {
      const without = shown.map((each) => each.replace("… ", ""));
      // A question is not shown as sent and as stored at a time.
      expect(without.filter((each) => each === "held").length).toBeLessThanOrEqual(1);
      if (without.includes("One. ")) expect(without.indexOf("held")).toBe(0);
    }
  });

  it("takes back what is refused, says why, and forgets it with the next one", async () => {
    const { conversation } = begin("bea");
    const body = { success: false, error: { code: 429, type: "budget_exceeded", message: "No" } };
    await conversation.send("replaced");
    await settled(conversation, "replaced", "Right words and more");
    proxy.refuse(1, 429, { "Content-Type": "application/json" }, JSON.stringify(body));
    await expect(conversation.send("again")).rejects.toMatchObject({ type: "budget_exceeded" });
    expect(conversation.getState()).toMatchObject({ sending: [], isReplying: false });
    expect(conversation.getState().error).toMatchObject({ type: "budget_exceeded" });
    expect(texts(conversation)).toEqual(["replaced", "Right words and more"]);
    await conversation.send("replaced");
    expect(conversation.getState().error).toBeNull();
    await expect.poll(() => texts(conversation)).toHaveLength(4);
  });

  it("reads nothing more when it has been closed, and everything when it is opened again", async () => {
    const { client, conversation, close } = begin("cid");
    await conversation.send("held");
    await expect.poll(() => texts(conversation)).toEqual(["held", "One. "]);
    const { sessionId } = conversation.getState();
    close();
    let told = 0;
    const stop = conversation.subscribe(() => (told += 1));
    release();
    const stored = async () =>
      (await client.messages.history(sessionId ?? "")).messages.map(({ content }) => content);
    await expect.poll(stored).toEqual(["held", "One. Two."]);
    const before = proxy.seen.length;
    await client.sessions.rename(sessionId ?? "", "Renamed");
    expect(proxy.seen.slice(before)).toHaveLength(1);
    expect(told).toBe(0);
    expect(texts(conversation)).toEqual(["held", "One. "]);
    stop();
    leaving.push(conversation.open());
    await settled(conversation, "held", "One. Two.");
    expect(conversation.getState()).toMatchObject({ error: null, session: { title: "Renamed" } });
  });

  it("shows the end first, and what is older when it is asked for", async () => {
    const { conversation } = begin("dora");
    for (let count = 2; count <= 6; count += 2) {
      await conversation.send("replaced");
      await expect.poll(() => texts(conversation)).toHaveLength(count);
      await expect.poll(() => conversation.getState().isReplying).toBe(false);
    }
    const { sessionId } = conversation.getState();
    const { conversation: other } = begin("dora", { sessionId, pageSize: 4 });
    expect(other.getState().isLoading).toBe(true);
    await expect.poll(() => texts(other)).toHaveLength(4);
    expect(other.getState()).toMatchObject({ hasOlder: true, isLoading: false });
    await other.loadOlder();
    expect(texts(other)).toHaveLength(6);
    expect(other.getState().hasOlder).toBe(false);
  });
});
