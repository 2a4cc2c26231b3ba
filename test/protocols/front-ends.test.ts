import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { textOf, type SentRequest } from "../front-ends/request-recorder.ts";
import { readRecording, type Recording } from "../front-ends/recording.ts";
import { openFrontEndStage, type FrontEndStage } from "../front-ends/stage.ts";

// What real front ends have sent, word for word, sent again. test/page/record-open-webui.ts and test/front-ends/record-librechat.ts write it down.

interface Message {
  readonly role: string;
  readonly status: string;
  readonly content: string;
  readonly attachments?: readonly unknown[] | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly siblings?: { readonly ids: readonly string[] };
}

interface Played {
  readonly request: SentRequest;
  readonly status: number;
  readonly text: string;
}

const question = "Which harbour is the oldest that is still in use?";

/** Sends what was sent, one after the other, and leaves an answer where it was left. */
async function play(stage: FrontEndStage, { requests }: Recording): Promise<readonly Played[]> {
  const played: Played[] = [];
  for (const request of requests) {
    const response = await fetch(stage.service.url + request.path, {
      method: request.method,
      headers: { ...request.headers, authorization: `Bearer ${stage.apiKey}` },
      ...(request.body !== null && { body: JSON.stringify(request.body) }),
    });
    let text = "";
    if (request.left === null || response.body === null) text = await response.text();
    else {
      const decoder = new TextDecoder();
      for await (const bytes of response.body) {
        text += decoder.decode(bytes, { stream: true });
        // Closes the connection.
        if (textOf(text).length >= request.left.length) break;
      }
    }
    played.push({ request, status: response.status, text });
  }
  return played;
}

function named(request: SentRequest): { user: string; chat: string | undefined } {
  const of = (...names: string[]) =>
    Object.entries(request.headers).find(([name]) => names.includes(name.toLowerCase()))?.[1];
  return {
    user: of("x-openwebui-user-id", "x-user-id") ?? "",
    chat: of("x-openwebui-chat-id", "x-conversation-id"),
  };
}

describe.each(["open-webui", "librechat"])("%s", (name) => {
  let stage: FrontEndStage;
  let recording: Recording;
  let played: readonly Played[];
  beforeAll(async () => {
    [stage, recording] = await Promise.all([openFrontEndStage(), readRecording(name)]);
    played = await play(stage, recording);
  });
  afterAll(() => stage.close());

  const scene = (is: string) => {
    const found = recording.requests.filter(({ scene: of }) => of === is);
    expect(found, is).not.toEqual([]);
    return found;
  };
  const userIn = (is: string) => `via:front:${named(scene(is)[0] as SentRequest).user}`;
  const sessionsOf = async (user: string) => {
    const { body } = await stage.operator.get<{
      sessions: { session_id: string; title: string }[];
    }>(`/sessions?user_id=${encodeURIComponent(user)}`);
    return body.sessions;
  };
  const historyOf = async (sessionId: string, more = "") => {
    const { body } = await stage.operator.get<{ messages: Message[] }>(
      `/chat/history/${sessionId}?limit=100${more}`,
    );
    return body.messages;
  };
  /** The first chat, whole. */
  const chat = async () => {
    const sessions = await sessionsOf(userIn("a chat begins"));
    const session = sessions.at(-1);
    return historyOf(session?.session_id ?? "", "&path=all");
  };

  it("is answered, whatever it asks", () => {
    const refused = played.filter(({ status }) => status !== 200);
    // Open WebUI lets an answer be continued that is over; agents answer users.
    expect(refused.map(({ request }) => request.scene)).toEqual(
      name === "open-webui" ? ["an answer is to be continued"] : [],
    );
    for (const { text } of refused) expect(text).toContain("must end with a message of the user");
  });

  it("has one session for each chat, with the person's words alone", async () => {
    const user = userIn("a chat begins");
    const chats = recording.requests
      .map(named)
      .filter((each) => `via:front:${each.user}` === user && each.chat !== undefined)
      .map((each) => each.chat)
      .filter((each) => !each?.startsWith("temporary:"));
    const sessions = await sessionsOf(user);
    expect(sessions).toHaveLength(new Set(chats).size);
    expect(sessions.at(-1)?.title).toContain("Which harbour is the oldest");
    const all = await Promise.all(sessions.map(({ session_id: id }) => historyOf(id, "&path=all")));
    const texts = all.flat().map(({ content }) => content);
    expect(texts.filter((text) => /title|follow|tags|Between us/i.test(text))).toEqual([]);
  });

  it("asks beside its conversations, and is told what it wants to know", () => {
    const titles = played.filter(
      ({ request }) =>
        /(?:concise|-less) title/.test(JSON.stringify(request.body)) &&
        request.scene === "a chat begins",
    );
    expect(titles).not.toEqual([]);
    for (const { text } of titles) expect(text).toMatch(/Old harbours/i);
  });

  it("goes on in it, answers again and says otherwise on branches", async () => {
    const messages = await chat();
    const users = messages.filter(({ role }) => role === "user").map(({ content }) => content);
    expect(users).toEqual(
      expect.arrayContaining([
        question,
        "And in northern Europe?",
        "And in the south?",
        "Which bridge is the oldest?",
        "Count slowly",
        "Thank you",
      ]),
    );
    expect(new Set(users).size).toBe(users.length);
    const siblings = (text: string) =>
      messages.find(({ content }) => content === text)?.siblings?.ids.length ?? 1;
    expect(siblings(question)).toBe(2);
    expect(siblings("And in northern Europe?")).toBe(2);
    expect(siblings("Which bridge is the oldest?")).toBe(2);
    const answersTo = (text: string) => {
      const at = messages.findIndex(({ content }) => content === text);
      return messages[at + 1]?.siblings?.ids.length ?? 1;
    };
    expect(answersTo("And in northern Europe?")).toBe(2);
    expect(answersTo("And in the south?")).toBe(1);
    expect(messages.filter(({ metadata }) => metadata["imported"] === true)).toEqual([]);
  });

  it("stops what it leaves", async () => {
    await expect
      .poll(async () => {
        const messages = await chat();
        const at = messages.findIndex(({ content }) => content === "Count slowly");
        return messages[at + 1]?.status;
      })
      .toBe("cancelled");
  });

  it("keeps its users apart", async () => {
    const [own, others] = [userIn("a chat begins"), userIn("another user's chat")];
    expect(own).not.toBe(others);
    const [session, ...more] = await sessionsOf(others);
    expect(more).toEqual([]);
    const messages = await historyOf(session?.session_id ?? "");
    expect(messages.map(({ content }) => content)).toEqual([
      "Hello from me",
      "You said: Hello from me",
    ]);
  });
});
