import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { lastUserText } from "../support/openai-server.ts";
import { eventually, startStage, type Stage } from "../support/stage.ts";

const started = await startStage({
  nodes: 2,
  env: { MODELS_DEFAULT_MODEL: "test-model", SESSIONS_TITLES: "first_words" },
});

interface Told extends Record<string, unknown> {
  readonly type: string;
}

describe.skipIf(started === null)("clients of AG-UI at two nodes", () => {
  let stage: Stage;
  let user: string;
  let threadId: string;
  beforeAll(() => {
    stage = started as Stage;
  });
  beforeEach(() => {
    user = randomUUID();
    threadId = randomUUID();
  });
  afterAll(() => stage.stop());

  const calls = () =>
    stage.model.requests.filter((request) => lastUserText(request).includes(user)).length;
  const asking = (content: string) => ({
    threadId,
    runId: randomUUID(),
    protocolVersion: "1.0",
    messages: [{ id: randomUUID(), role: "user", content: `${content} ${user}` }],
  });

  const post = (node: number, path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(stage.node(node).url + path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-user-id": user, ...headers },
      body: JSON.stringify(body),
    });

  /** Reads events until it ends, or `enough` says so, and then goes away. */
  async function read(response: Response, enough: (event: Told) => boolean = () => false) {
    expect(response.status).toBe(200);
    const events: (Told & { id: string })[] = [];
    const decoder = new TextDecoder();
    let rest = "";
    for await (const bytes of response.body ?? []) {
      const frames = (rest + decoder.decode(bytes, { stream: true })).split("\n\n");
      rest = frames.pop() ?? "";
      for (const frame of frames) {
        const data = /^data: (.*)$/m.exec(frame)?.[1];
        if (data === undefined) continue;
        const id = /^id: (\d+)$/m.exec(frame)?.[1] ?? "";
        events.push({ ...(JSON.parse(data) as Told), id });
        if (enough(events.at(-1) as Told)) return events;
      }
    }
    return events;
  }

  const run = (node: number, body: object, headers: Record<string, string> = {}) =>
    post(node, "/agui/general-chat", body, headers);
  const isText = ({ type }: Told) => type === "TEXT_MESSAGE_CONTENT";
  const textOf = (events: readonly Told[]) =>
    events.map((event) => (isText(event) ? String(event["delta"]) : "")).join("");

  /** The next answer of the model, which stands still behind its first word until it is let go on. */
  function standStill() {
    const gate = Promise.withResolvers<void>();
    stage.model.enqueue({
      tokens: ["one ", "two ", "three"],
      pace: (index) => (index === 1 ? gate.promise : undefined),
    });
    return () => gate.resolve();
  }

  test("a run is one at both, and goes on at the other behind what was seen", async () => {
    const goOn = standStill();
    const body = asking("go");
    const seen = await read(await run(0, body), isText);
    const whole = run(1, body).then((response) => read(response));
    const rest = run(1, body, { "Last-Event-ID": seen.at(-1)?.id ?? "" }).then((response) =>
      read(response),
    );
    goOn();
    expect([...seen, ...(await rest)]).toEqual(await whole);
    expect(textOf(await whole)).toBe("one two three");
    expect((await whole).at(-1)).toMatchObject({ type: "RUN_FINISHED" });
    expect(calls()).toBe(1);
  });

  test("a thread opens at the other while it is made, and is stopped there", async () => {
    standStill();
    const body = asking("wait");
    const making = run(0, body);
    await read(await run(0, body), isText);
    const opening = { ...asking(""), threadId, messages: [] };
    const opened = await post(1, "/copilotkit/agent/general-chat/connect", opening);
    const following = read(opened);
    const stopped = await post(1, `/copilotkit/agent/general-chat/stop/${threadId}`, {
      runId: body.runId,
    });
    expect(await stopped.json()).toEqual({ stopped: true });
    for (const events of [await following, await read(await making)]) {
      expect(textOf(events)).toBe("one ");
      expect(events.at(-1)).toMatchObject({
        type: "RUN_FINISHED",
        outcome: { type: "cancelled" },
      });
    }
    const again = await post(0, `/copilotkit/agent/general-chat/stop/${threadId}`, {});
    expect(await again.json()).toEqual({ stopped: false });
  });

  test("what a node was killed over ends at the other, and the thread goes on there", async () => {
    await read(await run(0, asking("before")));
    standStill();
    const body = asking("lost");
    const seen = await read(await run(0, body), isText);
    await stage.node(0).kill();
    const rest = await read(await run(1, body, { "Last-Event-ID": seen.at(-1)?.id ?? "" }));
    expect(rest.at(-1)?.type).toMatch(/^RUN_(FINISHED|ERROR)$/);
    expect(calls()).toBe(2);
    await eventually("the thread is free", async () => {
      const opening = { ...asking(""), threadId, messages: [] };
      const events = await read(await post(1, "/copilotkit/agent/general-chat/connect", opening));
      return textOf(events).startsWith("one two threeone ");
    });
    const next = await read(await run(1, asking("after")));
    expect(textOf(next)).toBe("one two three");
    await stage.startNode(0);
    const opening = { ...asking(""), threadId, messages: [] };
    const opened = await read(await post(0, "/copilotkit/agent/general-chat/connect", opening));
    expect(textOf(opened)).toBe("one two threeone one two three");
    expect(opened.filter(({ type }) => type === "RUN_STARTED")).toHaveLength(3);
  });
});
