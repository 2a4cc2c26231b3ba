import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startStage, type Stage } from "../support/stage.ts";

const started = await startStage({
  nodes: 2,
  redis: "none",
  env: {
    MODELS_DEFAULT_MODEL: "test-model",
    MODELS_AGENTS: JSON.stringify([{ id: "worker", name: "Worker", tools: ["calculator"] }]),
    STREAMS_LEASE_SECONDS: "2",
    STREAMS_REAP_SECONDS: "1",
  },
});

describe.skipIf(started === null)("messages that steer, on two nodes without Redis", () => {
  let stage: Stage;
  let from: number;
  beforeAll(() => {
    stage = started as Stage;
  });
  beforeEach(() => {
    from = stage.model.requests.length;
  });
  afterAll(() => stage.stop());

  const call = { id: "sum", name: "calculator", arguments: { expression: "2+3" } };
  const told = (index: number) =>
    (
      stage.model.requests[from + index]!.body["messages"] as { role: string; content: string }[]
    ).map(({ role, content }) => [role, content]);

  /** On the first node a reply whose model is about to call a tool; a message for it on the second. */
  async function steered() {
    const sessionId = await stage.client(1).session("ann", { agent_id: "worker" });
    const gate = Promise.withResolvers<void>();
    stage.model.enqueue({ tokens: ["Well."], toolCalls: [call], pace: () => gate.promise });
    const stream = await stage.client(0).stream({ session_id: sessionId, message: "add" });
    await stage.model.request(from);
    const steering = await stage
      .client(1)
      .stream({ session_id: sessionId, message: "quick", on_busy: "steer" });
    return { sessionId, stream, steering, release: gate.resolve };
  }
  const history = async (sessionId: string) =>
    (
      await stage
        .client(1)
        .get<{ messages: { role: string; status: string; content: string }[] }>(
          `/chat/history/${sessionId}`,
        )
    ).body.messages.map(({ role, status, content }) => `${role} ${status} ${content}`);

  test("one that another node has accepted is taken in", async () => {
    const { sessionId, stream, steering, release } = await steered();
    stage.model.enqueue({ tokens: ["Five."] });
    release();
    await stream.all();
    const taken = (await steering.all()).find(({ type }) => type === "steered");
    expect(taken).toMatchObject({ message: "quick", text_start: "Well.".length });
    expect(told(1).slice(-2)).toEqual([
      ["tool", "5"],
      ["user", "quick"],
    ]);
    expect(await history(sessionId)).toEqual([
      "user complete add",
      "user complete quick",
      "assistant complete Well.\n\nFive.",
    ]);
  });

  test("whose reply's node is killed before it takes it in is answered by another node, once", async () => {
    const { sessionId, steering, release } = await steered();
    stage.model.enqueue({ tokens: ["Five."] });
    await stage.node(0).kill();
    const end = await steering.next(({ full_response }) => full_response === "Five.");
    expect(end.type).toBe("conversation_complete");
    release();
    expect(await history(sessionId)).toEqual([
      "user complete add",
      expect.stringMatching(/^assistant interrupted /),
      "user complete quick",
      "assistant complete Five.",
    ]);
    expect(stage.model.requests).toHaveLength(from + 2);
    await stage.startNode(0);
  });
});
