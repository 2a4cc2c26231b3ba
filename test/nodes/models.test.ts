import { Client as PostgresClient } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { referenceProgram } from "../support/mcp-servers.ts";
import type { RecordedRequest } from "../support/openai-server.ts";
import { eventually, startStage, type Stage } from "../support/stage.ts";

const agents = [
  { id: "plain", name: "Plain" },
  {
    id: "careful",
    name: "Careful",
    mcp: [{ name: "local", ...referenceProgram, tools: ["get-sum"] }],
  },
];

const started = await startStage({
  nodes: 2,
  env: {
    MODELS_DEFAULT_MODEL: "test-model",
    MODELS_CONTEXT_TOKENS: "4000",
    MODELS_AGENTS: JSON.stringify(agents),
    SESSIONS_LONG_CONVERSATIONS: "summarise",
  },
});

type Sent = readonly { readonly role: string; readonly content: string }[];
const messagesOf = ({ body }: RecordedRequest) => body["messages"] as Sent;
const isSummary = (request: RecordedRequest) =>
  messagesOf(request)[0]?.content.startsWith("Put this conversation") === true;

describe.skipIf(started === null)("what models do, on two nodes", () => {
  let stage: Stage;
  let from: number;

  beforeAll(() => {
    stage = started as Stage;
  });
  beforeEach(() => {
    from = stage.model.requests.length;
  });
  afterAll(() => stage.stop());

  describe("a call of an MCP server that needs approval", () => {
    /** Paused on the first node. */
    async function paused() {
      const call = { id: "sum", name: "local__get-sum", arguments: { a: 20, b: 22 } };
      stage.model.enqueue({ toolCalls: [call] }, { tokens: ["It is ", "done."] });
      const client = stage.client(0);
      const sessionId = await client.session("ann", { agent_id: "careful" });
      const stream = await client.stream({ session_id: sessionId, message: "add" });
      const event = await stream.next(({ type }) => type === "paused");
      const [requirement] = event["requirements"] as { id: string }[];
      return { messageId: String(event["message_id"]), id: requirement?.id };
    }
    const decide = (node: number, messageId: string, id: string | undefined, approved = true) =>
      stage
        .client(node)
        .send("POST", `/chat/message/${messageId}/continue`, { decisions: [{ id, approved }] });
    const results = () =>
      stage.model.requests
        .slice(from)
        .flatMap(messagesOf)
        .filter(({ role }) => role === "tool")
        .map(({ content }) => content);

    test("is made by the node that is told so, and the reply is whole on both", async () => {
      const { messageId, id } = await paused();
      expect(results()).toEqual([]);
      expect((await decide(1, messageId, id)).status).toBe(200);
      expect(results()).toEqual(["The sum of 20 and 22 is 42."]);
      for (const node of [0, 1]) {
        const { body } = await stage.client(node).get(`/chat/message/${messageId}`);
        expect(body).toMatchObject({ status: "complete", content: "It is done." });
        const late = await stage.client(node).follow(messageId);
        expect((await late.all()).at(-1)).toMatchObject({ type: "conversation_complete" });
      }
    });

    test("is made once, or not at all, where both are told at the same time, this and that", async () => {
      const { messageId, id } = await paused();
      const answers = await Promise.all([
        decide(0, messageId, id, true),
        decide(1, messageId, id, false),
      ]);
      expect(answers.map(({ status }) => status).toSorted((x, y) => x - y)).toEqual([200, 409]);
      const isApproved = answers[0]?.status === 200;
      expect(results()).toEqual([
        isApproved ? "The sum of 20 and 22 is 42." : expect.stringContaining("declined"),
      ]);
    });
  });

  describe("a summary", () => {
    const summaries = (sessionId: string) =>
      stage.query("SELECT content FROM summaries WHERE session_id = $1", [sessionId]);
    const asked = () => stage.model.requests.slice(from).filter(isSummary).length;

    /** Says so much, to one node after the other, that not all of it could be sent. */
    async function overfull(): Promise<string> {
      const sessionId = await stage.client(0).session("ann", { agent_id: "plain" });
      for (let turn = 0; ; turn += 1) {
        const { body } = await stage
          .client(turn % 2)
          .send<{ context: { dropped: number } }>("POST", "/chat/message", {
            session_id: sessionId,
            message: `turn ${turn} ${"word ".repeat(500)}`,
          });
        if (body.context.dropped > 0) return sessionId;
      }
    }
    const isDone = async () => (await stage.query("SELECT 1 FROM jobs")).length === 0;

    test("is made by one of them", async () => {
      const sessionId = await overfull();
      await eventually("the summary is there", isDone);
      const made = (await summaries(sessionId)).length;
      expect(made).toBeGreaterThan(0);
      expect(asked()).toBe(made);
    });

    test("that was written when its node was killed, and not stored, is made again by one of them", async () => {
      const lock = new PostgresClient({ connectionString: stage.databaseUrl });
      await lock.connect();
      await lock.query("BEGIN");
      await lock.query("LOCK TABLE summaries IN SHARE MODE");
      const sessionId = await overfull();
      await eventually("it is being stored", async () => {
        const rows = await stage.query(
          `SELECT 1 FROM pg_stat_activity
           WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INTO summaries%'`,
        );
        return rows.length > 0;
      });
      expect(asked()).toBe(1);
      await Promise.all(stage.nodes.map((node) => node.kill()));
      await lock.query("ROLLBACK");
      await lock.end();
      expect(await summaries(sessionId)).toEqual([]);
      // The claim of a node that is dead ends a minute later.
      await stage.query("UPDATE jobs SET due_at = now()");
      await Promise.all([stage.startNode(0), stage.startNode(1)]);
      await eventually("it is made again", isDone);
      // It may take two calls, one on top of the other; none is made by both nodes, or for nothing.
      const made = (await summaries(sessionId)).length;
      expect(made).toBeGreaterThan(0);
      expect(asked()).toBe(1 + made);
      const { rows } = (
        await stage
          .client(1)
          .get<{ rows: object[] }>("/usage?user_id=ann&group_by=kind&kind=summary")
      ).body;
      expect(rows).toHaveLength(1);
    });
  });
});
