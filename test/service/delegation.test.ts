import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startModelService, type ModelServiceServer } from "../support/model-service-server.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";

describe("agents that delegate, over an endpoint and a Model Service", () => {
  let model: OpenAiServer;
  let catalogue: ModelServiceServer;
  let service: TestService;
  let client: Client;

  beforeAll(async () => {
    model = await startOpenAiServer({ models: ["endpoint-model", "nomic-embed-text"] });
    catalogue = await startModelService();
    service = await startService({
      env: {
        OPENAI_BASE_URL: model.url,
        MODEL_SERVICE_URL: catalogue.url,
        MODELS_AGENTS: JSON.stringify([
          { id: "boss", name: "Boss", instructions: "I am boss.", handoffs: ["maths"] },
          { id: "maths", name: "Maths", instructions: "I am maths.", model: "zhipu/glm-4" },
        ]),
      },
    });
    client = createClient(service.url);
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
    await catalogue.close();
  });

  const lastMessage = async (sessionId: string) =>
    (await client.get<{ messages: object[] }>(`/chat/history/${sessionId}`)).body.messages.at(-1);

  it("streams who is at work, and the words of the agent addressed alone", async () => {
    model.enqueue(
      { tokens: ["One moment."], toolCalls: [{ name: "ask_maths", arguments: { task: "6*7" } }] },
      { tokens: ["It ", "is 42."] },
    );
    catalogue.enqueue({ tokens: ["4", "2"], usage: { input_tokens: 5, output_tokens: 2 } });
    const sessionId = await client.session("alice", { agent_id: "boss" });
    const stream = await client.stream({ session_id: sessionId, message: "How much?" });
    const events = await stream.all();
    expect(
      events
        .filter((event) => event["type"] === "agent_event")
        .map((event) => [
          event["event"],
          event["agent_id"],
          event["parent_agent_id"],
          event["detail"],
        ]),
    ).toEqual([
      ["handoff", "maths", "boss", undefined],
      ["member_started", "maths", "boss", undefined],
      ["member_completed", "maths", "boss", "42"],
    ]);
    expect(events.at(-1)).toMatchObject({
      type: "conversation_complete",
      full_response: "One moment.\n\nIt is 42.",
      agent_id: "boss",
      finish_reason: "stop",
      usage: { input_tokens: 25, output_tokens: 5 },
    });
    expect(catalogue.requests[0]?.body).toMatchObject({ provider_id: "zhipu", model_id: "glm-4" });
    expect(await lastMessage(sessionId)).toMatchObject({ model: "endpoint-model" });
  });

  it("lists the models of both sources", async () => {
    const { body } = await client.get<{ models: unknown[] }>("/chat/models");
    expect(body.models).toEqual([
      { id: "endpoint-model", name: "endpoint-model", provider: "tests", can_chat: true },
      { id: "nomic-embed-text", name: "nomic-embed-text", provider: "tests", can_chat: false },
      { id: "zhipu/glm-4", name: "GLM-4", provider: "智谱AI", can_chat: true },
    ]);
  });

  it("a session may choose one of them", async () => {
    const sessionId = await client.session("alice", {
      agent_id: "analyst",
      session_config: { model: "zhipu/glm-4", temperature: 0.1 },
    });
    const stream = await client.stream({ session_id: sessionId, message: "你好" });
    expect((await stream.all()).at(-1)).toMatchObject({ full_response: "You said: 你好" });
    expect(await lastMessage(sessionId)).toMatchObject({ model: "zhipu/glm-4" });
    expect(catalogue.requests.at(-1)?.body).toMatchObject({ model_id: "glm-4", temperature: 0.1 });
  });
});
