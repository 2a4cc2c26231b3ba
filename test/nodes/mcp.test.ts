import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startStage, type Stage } from "../support/stage.ts";

const started = await startStage({ nodes: 2, redis: "none" });

interface Told {
  readonly message_id: string;
  readonly status: string;
  readonly text: string;
}

describe.skipIf(started === null)("tools of MCP, on two nodes and PostgreSQL", () => {
  let stage: Stage;
  beforeAll(() => {
    stage = started as Stage;
  });
  afterAll(() => stage.stop());

  const post = (node: number, body: object, session?: string) =>
    fetch(`${stage.node(node).url}/mcp`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "x-user-id": "ann",
        ...(session !== undefined && { "mcp-session-id": session }),
      },
      body: JSON.stringify({ jsonrpc: "2.0", ...body }),
    });
  const begin = async (node: number) => {
    const params = {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "raw", version: "1" },
    };
    const hello = await post(node, { id: 0, method: "initialize", params });
    await hello.text();
    return hello.headers.get("mcp-session-id") ?? "";
  };
  const calling = async (
    node: number,
    id: number,
    name: string,
    args: object,
    session?: string,
  ) => {
    const response = await post(
      node,
      { id, method: "tools/call", params: { name, arguments: args } },
      session,
    );
    const text = await response.text();
    const { result } = JSON.parse(/^data: (\{.*)$/m.exec(text)?.[1] ?? text) as {
      result: { structuredContent: Told };
    };
    return result.structuredContent;
  };

  test("a call that comes again on the other node attaches, and is taken back there", async () => {
    const session = await begin(0);
    const gate = Promise.withResolvers<void>();
    stage.model.enqueue({ tokens: ["Well.", "On"], pace: () => gate.promise });
    const first = calling(0, 7, "ask_agent", { message: "go" }, session);
    await stage.model.request(0);
    const again = calling(1, 7, "ask_agent", { message: "go" }, session);
    const back = { method: "notifications/cancelled", params: { requestId: 7 } };
    expect((await post(1, back, session)).status).toBe(202);
    const [one, other] = await Promise.all([first, again]);
    gate.resolve();
    expect(one).toMatchObject({ status: "cancelled" });
    expect(other.message_id).toBe(one.message_id);
    expect(stage.model.requests.length).toBe(1);
    const read = await calling(1, 8, "read_reply", { message_id: one.message_id });
    expect(read).toEqual(one);
  });
});
