import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";

const settings = {
  max_tokens: 7,
  top_p: 0.5,
  stop: ["END"],
  seed: 3,
  presence_penalty: 0.1,
  frequency_penalty: 0.2,
  reasoning_effort: "low",
  response_format: { type: "json_object" },
};

describe("settings of a session", () => {
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    model = await startOpenAiServer({ respond: () => ({ tokens: ['{"a":1}'] }) });
    service = await startService({
      env: { OPENAI_BASE_URL: model.url, BUILTIN_AGENTS: "always" },
    });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  const send = (body: object) =>
    client.send<{ error?: { details?: { path: string }[] } }>("POST", "/chat/message", body);

  it("reach the model, whether they came with the session, with a message or later", async () => {
    const sessionId = await client.session("alice", { session_config: settings });
    await send({ session_id: sessionId, message: "x" });
    expect(model.requests.at(-1)?.body).toMatchObject(settings);

    const changed = { session_config: { max_tokens: 9, temperature: 0, title: "T" } };
    const answer = await send({ session_id: sessionId, message: "x", ...changed });
    expect(answer.status).toBe(200);
    expect(model.requests.at(-1)?.body).toMatchObject({
      ...settings,
      max_tokens: 9,
      temperature: 0,
    });
    const { body } = await client.get<{ title: string; config: object }>(`/sessions/${sessionId}`);
    expect(body).toMatchObject({ title: "T", config: { ...settings, max_tokens: 9 } });

    await client.send("PATCH", `/sessions/${sessionId}`, { config: { stop: null, seed: 4 } });
    await send({ session_id: sessionId, message: "x" });
    expect(model.requests.at(-1)?.body).toMatchObject({ seed: 4 });
    expect(model.requests.at(-1)?.body).not.toHaveProperty("stop");
  });

  it.each(Object.entries(settings))(
    "%s is refused where the agent cannot be told, and so is a wrong value",
    async (name, value) => {
      const agent = { agent_id: "guide" };
      const config = { session_config: { [name]: value } };
      const created = await client.send("POST", "/chat/session", {
        user_id: "alice",
        ...agent,
        ...config,
      });
      expect(created.status).toBe(422);
      expect(JSON.stringify(created.body)).toContain(`/session_config/${name}`);
      const sessionId = await client.session("alice", agent);
      const path = { path: `/session_config/${name}` };
      const sent = await send({ session_id: sessionId, message: "x", ...config });
      expect(sent.status).toBe(422);
      expect(sent.body.error?.details).toMatchObject([path]);
      const patched = await client.send("PATCH", `/sessions/${sessionId}`, {
        config: { [name]: value },
      });
      expect(patched.status).toBe(422);
      const { body } = await client.get<{ config: object; message_count: number }>(
        `/sessions/${sessionId}`,
      );
      expect(body).toMatchObject({ config: {}, message_count: 0 });
      const wrong = await client.send("POST", "/chat/session", {
        user_id: "alice",
        session_config: { [name]: { no: 1 } },
      });
      expect(wrong.status).toBe(422);
    },
  );

  it("of a message alone are for its turn alone", async () => {
    const sessionId = await client.session("alice");
    const own = { response_format: { type: "json_object" } };
    await send({ session_id: sessionId, message: "x", ...own });
    expect(model.requests.at(-1)?.body).toMatchObject(own);
    await send({ session_id: sessionId, message: "x" });
    expect(model.requests.at(-1)?.body).not.toHaveProperty("response_format");
    const refused = await send({
      session_id: sessionId,
      message: "x",
      agent_id: "calculator",
      ...own,
    });
    expect(refused.status).toBe(422);
  });

  it("of a form give the reply as a value, wherever it is shown; without one it stays text", async () => {
    const sessionId = await client.session("alice");
    const schema = { type: "object", properties: { a: { type: "integer" } } };
    const own = {
      response_format: { type: "json_schema", json_schema: { name: "figures", schema } },
    };
    const stream = await client.stream({ session_id: sessionId, message: "x", ...own });
    const end = (await stream.all()).at(-1);
    expect(model.requests.at(-1)?.body).toMatchObject(own);
    expect(end).toMatchObject({ full_response: '{"a":1}', output: { a: 1 } });
    model.enqueue({ tokens: ['{"a', '":'], finishReason: "length" });
    const cut = await send({ session_id: sessionId, message: "x", ...own });
    expect(cut.body).toMatchObject({
      response: '{"a":',
      output: null,
      output_error: "incomplete",
    });
    model.enqueue({ tokens: ['{"a":', '"1"}'] });
    const other = await send({ session_id: sessionId, message: "x", ...own });
    expect(other.body).toMatchObject({ output: null, output_error: "schema_mismatch" });
    const plain = await send({ session_id: sessionId, message: "x" });
    expect(plain.body).not.toHaveProperty("output");
    const { body } = await client.get<{ messages: { role: string }[] }>(
      `/chat/history/${sessionId}`,
    );
    const replies = body.messages.filter(({ role }) => role === "assistant");
    expect(replies).toMatchObject([
      { output: { a: 1 } },
      { output_error: "incomplete" },
      { output: null, output_error: "schema_mismatch" },
      {},
    ]);
    expect(replies[3]).not.toHaveProperty("output");
    const again = await client.follow(String(end?.["message_id"]));
    expect((await again.all()).at(-1)).toMatchObject({ output: { a: 1 } });

    const file = await (await fetch(`${service.url}/sessions/${sessionId}/export`)).text();
    const form = new FormData();
    form.append("file", new Blob([file]), "conversation.json");
    const imported = await fetch(`${service.url}/import?user_id=olga`, {
      method: "POST",
      body: form,
    });
    const { conversations } = (await imported.json()) as {
      conversations: { session_id: string }[];
    };
    const moved = await client.get<{ messages: { role: string }[] }>(
      `/chat/history/${conversations[0]?.session_id}?user_id=olga`,
    );
    const outputs = (messages: readonly object[]) =>
      messages.map(({ output, output_error }: { output?: unknown; output_error?: unknown }) => ({
        output,
        output_error,
      }));
    expect(outputs(moved.body.messages)).toEqual(outputs(body.messages));
  });

  it("are, for a message that waited, those that hold when it begins", async () => {
    const sessionId = await client.session("alice", { session_config: { model: "before" } });
    const gate = Promise.withResolvers<void>();
    model.enqueue({
      tokens: ["a", "b"],
      pace: (index) => (index === 0 ? undefined : gate.promise),
    });
    const running = await client.stream({ session_id: sessionId, message: "first" });
    await running.next((event) => event.type === "assistant_chunk");
    const own = { response_format: { type: "json_object" } };
    const waiting = await client.stream({ session_id: sessionId, message: "second", ...own });
    await waiting.next((event) => event.type === "queued");
    await client.send("PATCH", `/sessions/${sessionId}`, {
      config: { model: "after", temperature: 0 },
    });
    gate.resolve();
    await waiting.all();
    expect(model.requests.at(-1)?.body).toMatchObject({ model: "after", temperature: 0, ...own });
  });

  it("together are bounded, however they came", async () => {
    const sessionId = await client.session("alice");
    const large = (name: string) => ({ session_config: { [name]: "x".repeat(40_000) } });
    expect((await send({ session_id: sessionId, message: "x", ...large("a") })).status).toBe(200);
    const before = model.requests.length;
    expect((await send({ session_id: sessionId, message: "x", ...large("b") })).status).toBe(422);
    expect(model.requests).toHaveLength(before);
  });

  it("that a model refuses are named, not left out; max_tokens goes under its newer name", async () => {
    const sessionId = await client.session("alice", {
      session_config: { max_tokens: 5, reasoning_effort: "low", model: "strict" },
    });
    model.setRespond(({ body }) =>
      "max_tokens" in body
        ? {
            fault: {
              kind: "status",
              status: 400,
              body: {
                error: {
                  message:
                    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                },
              },
            },
          }
        : { tokens: ["ok"] },
    );
    expect((await send({ session_id: sessionId, message: "x" })).status).toBe(200);
    expect(model.requests.at(-1)?.body).toMatchObject({ max_completion_tokens: 5 });
    const before = model.requests.length;
    model.setRespond(() => ({
      fault: {
        kind: "status",
        status: 400,
        body: { error: { message: "Unrecognized request argument supplied: reasoning_effort" } },
      },
    }));
    const refused = await send({ session_id: sessionId, message: "x" });
    expect(refused.status).toBe(502);
    expect(JSON.stringify(refused.body)).toContain("does not take reasoning_effort");
    expect(model.requests).toHaveLength(before + 1);
  });
});
