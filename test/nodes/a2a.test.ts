import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { lastUserText } from "../support/openai-server.ts";
import { eventually, startStage, type Stage } from "../support/stage.ts";

const started = await startStage({
  nodes: 2,
  env: { MODELS_DEFAULT_MODEL: "test-model", SESSIONS_TITLES: "first_words" },
});

/** As JSON has it. */
interface Told {
  readonly task?: WireTask;
  readonly statusUpdate?: { readonly status: { readonly state: string } };
  readonly artifactUpdate?: {
    readonly append?: boolean;
    readonly artifact: { readonly parts: readonly { readonly text?: string }[] };
  };
}

interface WireTask {
  readonly id: string;
  readonly contextId: string;
  readonly status: { readonly state: string };
  readonly artifacts?: readonly { readonly parts: readonly { readonly text?: string }[] }[];
}

describe.skipIf(started === null)("clients of A2A at two nodes", () => {
  let stage: Stage;
  let user: string;
  beforeAll(() => {
    stage = started as Stage;
  });
  beforeEach(() => {
    user = randomUUID();
  });
  afterAll(() => stage.stop());

  const calls = () =>
    stage.model.requests.filter((request) => lastUserText(request).includes(user)).length;

  const post = (node: number, method: string, params: object) =>
    fetch(`${stage.node(node).url}/a2a/general-chat`, {
      method: "POST",
      headers: { "content-type": "application/json", "a2a-version": "1.0", "x-user-id": user },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });

  async function call(node: number, method: string, params: object): Promise<WireTask> {
    const { result, error } = (await (await post(node, method, params)).json()) as {
      result?: WireTask & { task?: WireTask };
      error?: object;
    };
    if (result === undefined) throw new Error(JSON.stringify(error));
    return result.task ?? result;
  }

  /** Reads until it ends, or `enough` says so, and then goes away. */
  async function read(response: Response, enough: (told: Told) => boolean = () => false) {
    expect(response.status).toBe(200);
    const all: Told[] = [];
    const decoder = new TextDecoder();
    let rest = "";
    for await (const bytes of response.body ?? []) {
      const frames = (rest + decoder.decode(bytes, { stream: true })).split("\n\n");
      rest = frames.pop() ?? "";
      for (const frame of frames) {
        const data = /^data: (.*)$/m.exec(frame)?.[1];
        if (data === undefined) continue;
        const told = (JSON.parse(data) as { result: Told }).result;
        all.push(told);
        if (enough(told)) return all;
      }
    }
    return all;
  }

  const message = (text: string, more: object = {}) => ({
    message: {
      messageId: randomUUID(),
      role: "ROLE_USER",
      parts: [{ text: `${text} ${user}` }],
      ...more,
    },
  });
  const wordsOf = ({ parts }: { readonly parts: readonly { readonly text?: string }[] }) =>
    parts.map(({ text = "" }) => text).join("");
  const textOf = (task: WireTask) => (task.artifacts ?? []).map(wordsOf).join("");
  const heard = (all: readonly Told[]) =>
    all.reduce((text, { task, artifactUpdate }) => {
      if (task !== undefined) return textOf(task);
      if (artifactUpdate === undefined) return text;
      return (artifactUpdate.append === true ? text : "") + wordsOf(artifactUpdate.artifact);
    }, "");
  const stateOf = (all: readonly Told[]) =>
    all
      .map(({ task, statusUpdate }) => (task ?? statusUpdate)?.status.state)
      .findLast((state) => state !== undefined);
  /** The first words may be part of the task already. */
  const isText = ({ task, artifactUpdate }: Told) =>
    artifactUpdate !== undefined || (task !== undefined && textOf(task) !== "");
  const idIn = (all: readonly Told[]) =>
    all.find(({ task }) => task !== undefined)?.task?.id ?? "none";

  /** The next answer of the model, which stands still behind its first word until it is let go on. */
  function standStill() {
    const gate = Promise.withResolvers<void>();
    stage.model.enqueue({
      tokens: ["one ", "two ", "three"],
      pace: (index) => (index === 1 ? gate.promise : undefined),
    });
    return () => gate.resolve();
  }

  test("a message is one task at both, and who comes to the other hears the rest", async () => {
    const goOn = standStill();
    const said = message("go");
    const seen = await read(await post(0, "SendStreamingMessage", said), isText);
    // What has ended already can no longer be subscribed to.
    const repeated = read(await post(1, "SendStreamingMessage", said));
    const subscribed = read(await post(1, "SubscribeToTask", { id: idIn(seen) }));
    goOn();
    for (const all of [await repeated, await subscribed]) {
      expect(idIn(all)).toBe(idIn(seen));
      expect(heard(all)).toBe("one two three");
      expect(stateOf(all)).toBe("TASK_STATE_COMPLETED");
    }
    expect(textOf(await call(0, "GetTask", { id: idIn(seen) }))).toBe("one two three");
    expect(calls()).toBe(1);
  });

  test("a task is stopped at the other", async () => {
    standStill();
    const making = post(0, "SendStreamingMessage", message("wait"));
    const whole = making.then((response) => read(response));
    let id = "";
    await eventually("the task is listed", async () => {
      const { tasks = [] } = (await call(1, "ListTasks", {})) as unknown as { tasks?: WireTask[] };
      id = tasks[0]?.id ?? "";
      return id !== "";
    });
    const stopped = await call(1, "CancelTask", { id });
    expect(stopped.id).toBe(id);
    expect(stateOf(await whole)).toBe("TASK_STATE_CANCELED");
    expect((await call(1, "GetTask", { id })).status.state).toBe("TASK_STATE_CANCELED");
  });

  test("what a node was killed over ends at the other, and the conversation goes on there", async () => {
    const before = await call(0, "SendMessage", message("before"));
    const { contextId } = before;
    standStill();
    const said = message("lost", { contextId });
    const seen = await read(await post(0, "SendStreamingMessage", said), isText);
    await stage.node(0).kill();
    const rest = await read(await post(1, "SendStreamingMessage", said));
    expect(idIn(rest)).toBe(idIn(seen));
    expect(stateOf(rest)).toMatch(/^TASK_STATE_(COMPLETED|FAILED)$/);
    const next = await call(1, "SendMessage", message("after", { contextId }));
    expect(next).toMatchObject({ contextId, status: { state: "TASK_STATE_COMPLETED" } });
    await stage.startNode(0);
    const again = await call(0, "GetTask", { id: before.id });
    expect(textOf(again)).toBe(textOf(before));
    const repeated = await call(0, "SendMessage", said);
    expect(repeated.id).toBe(idIn(seen));
    expect(calls()).toBe(3);
  });
});
