import { randomUUID } from "node:crypto";
import OpenAI from "openai";
import type { Response, ResponseStreamEvent } from "openai/resources/responses/responses";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { lastUserText } from "../support/openai-server.ts";
import { openAiClient } from "../support/protocol-service.ts";
import { eventually, startStage, type Stage } from "../support/stage.ts";

const started = await startStage({ nodes: 2, env: { MODELS_DEFAULT_MODEL: "test-model" } });

describe.skipIf(started === null)("clients of OpenAI's API at two nodes", () => {
  let stage: Stage;
  let user: string;
  let text: string;
  beforeAll(() => {
    stage = started as Stage;
  });
  beforeEach(() => {
    user = randomUUID();
    text = `said by ${user}`;
  });
  afterAll(() => stage.stop());

  const model = "general-chat";
  const at = (index: number) => openAiClient(stage.node(index).url, user);
  const calls = () =>
    stage.model.requests.filter((request) => lastUserText(request).includes(text)).length;

  /** The next answer of the model, which stands still behind its first word until it is let go on. */
  function standStill() {
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    stage.model.enqueue({
      tokens: ["one ", "two ", "three"],
      pace(index) {
        if (index !== 1) return undefined;
        begun.resolve();
        return gate.promise;
      },
    });
    return { begun: begun.promise, goOn: () => gate.resolve() };
  }

  /** The first attempt goes to the first node, and is lost once the model speaks; the next ones go to the other. */
  function losing({ begun, goOn }: ReturnType<typeof standStill>) {
    let attempts = 0;
    const client = new OpenAI({
      baseURL: `${stage.node(0).url}/v1`,
      apiKey: "none",
      defaultHeaders: { "X-User-Id": user, Authorization: null },
      fetch: async (input, init = {}) => {
        attempts += 1;
        if (attempts > 1) {
          const answer = fetch(
            (input as string).replace(stage.node(0).url, stage.node(1).url),
            init,
          );
          goOn();
          return answer;
        }
        const lost = new AbortController();
        const first = fetch(input, { ...init, signal: lost.signal });
        await begun;
        lost.abort();
        await first.catch(() => undefined);
        throw new TypeError("the connection was lost");
      },
    });
    return client;
  }

  async function eventsOf(stream: AsyncIterable<ResponseStreamEvent>) {
    const events: ResponseStreamEvent[] = [];
    for await (const event of stream) events.push(event);
    return events;
  }

  test("what is asked again at the other node is the same run, of which nothing is lost", async () => {
    const response = await losing(standStill()).responses.create({ model, input: text });
    expect(response.output_text).toBe("one two three");
    expect(calls()).toBe(1);
    text = `completed by ${user}`;
    const messages = [{ role: "user" as const, content: text }];
    const stream = await losing(standStill()).chat.completions.create({
      model,
      messages,
      stream: true,
    });
    let content = "";
    for await (const chunk of stream) content += chunk.choices[0]?.delta.content ?? "";
    expect(content).toBe("one two three");
    expect(calls()).toBe(1);
  });

  test("so is what comes again without a word, where nothing of the answer was sent", async () => {
    const lost = async () => {
      const rows = await stage.query<{ many: number }>(
        `SELECT count(*)::int AS many FROM idempotency_keys WHERE user_id = $1 AND answer @> '{"lost": true}'`,
        [user],
      );
      return rows[0]?.many === 1;
    };
    const pause = standStill();
    const gone = new AbortController();
    const ask = (index: number, options: { signal?: AbortSignal } = {}) =>
      at(index).responses.create({ model, input: text }, options);
    const first = ask(0, { signal: gone.signal });
    await pause.begun;
    gone.abort();
    await expect(first).rejects.toThrow();
    await eventually("the first node has seen that its client has gone", lost);
    const again = ask(1);
    await eventually("the other node has taken it up", async () => !(await lost()));
    pause.goOn();
    expect((await again).output_text).toBe("one two three");
    expect(calls()).toBe(1);
    // Who has heard of it and asks once more wants another one.
    await ask(0);
    expect(calls()).toBe(2);
  });

  test("a stream goes on at the other node behind each event, also after both have begun anew", async () => {
    const pause = standStill();
    const stream = await at(0).responses.create({ model, input: text, stream: true });
    const seen: ResponseStreamEvent[] = [];
    for await (const event of stream) {
      seen.push(event);
      if (event.type === "response.output_text.delta") break;
    }
    const { id } = (seen[0] as { response: Response }).response;
    const after = (seen.at(-1) as ResponseStreamEvent).sequence_number;
    const rest = await at(1).responses.retrieve(id, { stream: true, starting_after: after });
    pause.goOn();
    const whole = [...seen, ...(await eventsOf(rest))];
    const end = (whole.at(-1) as { response: Response }).response;
    expect(end.status).toBe("completed");
    for (const index of [0, 1]) {
      await stage.node(index).kill();
      await stage.startNode(index);
    }
    for (const [index, { sequence_number: number }] of whole.entries()) {
      const again = await at(index % 2).responses.retrieve(id, {
        stream: true,
        starting_after: number,
      });
      expect(await eventsOf(again)).toEqual(whole.slice(index + 1));
    }
    expect(await at(0).responses.retrieve(id)).toMatchObject({ output: end.output });
    expect(calls()).toBe(1);
  });

  test("a response is there from its row when its log is gone, at any node", async () => {
    const response = await at(0).responses.create({ model, input: text });
    await stage.redis?.command("FLUSHALL");
    for (const index of [0, 1]) {
      const client = at(index);
      const again = await client.responses.retrieve(response.id);
      expect(again.output_text).toBe(response.output_text);
      expect(again.usage).toEqual(response.usage);
      const events = await eventsOf(await client.responses.retrieve(response.id, { stream: true }));
      expect(events[0]?.type).toBe("response.created");
      expect(events.at(-1)).toMatchObject({
        type: "response.completed",
        response: { output: again.output },
      });
      const helper = client.responses.stream({ response_id: response.id });
      expect((await helper.finalResponse()).output_text).toBe(response.output_text);
    }
  });

  test("a conversation goes on at either node, and branches where it is said otherwise", async () => {
    const named = (index: number) =>
      openAiClient(stage.node(index).url, user, { "X-Conversation-Id": "both" });
    const ask = async (index: number, ...said: string[]) => {
      const messages = said.map((content, at) => ({
        role: at % 2 === 0 ? ("user" as const) : ("assistant" as const),
        content,
      }));
      await named(index).chat.completions.create({ model, messages });
    };
    const answer = "one two three";
    await ask(0, "a");
    await ask(1, "a", answer, "b");
    await ask(0, "a", answer, "b", answer, "c");
    await ask(1, "a", answer, "otherwise");
    const title = "### Task:\nGenerate a title of three words that sums up what this is about.\n";
    await ask(1, `${title}<chat_history>\nUSER: otherwise\nASSISTANT: ${answer}\n</chat_history>`);
    const { body } = await stage
      .client(0)
      .get<{ sessions: { session_id: string }[] }>(`/sessions?user_id=${user}`);
    expect(body.sessions).toHaveLength(1);
    const history = await stage
      .client(1)
      .get<{ messages: { content: string }[] }>(
        `/chat/history/${body.sessions[0]?.session_id}?limit=100`,
      );
    expect(history.body.messages.map(({ content }) => content)).toEqual([
      "a",
      answer,
      "otherwise",
      answer,
    ]);
  });
});
