import { createConfig, lintFromString } from "@redocly/openapi-core";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormatsModule from "ajv-formats";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";

interface Operation {
  operationId?: string;
  security?: object[];
  summary?: string;
  requestBody?: { content: Record<string, { schema?: BodySchema }> };
  responses: Record<string, { content?: Record<string, { schema?: object; examples?: object }> }>;
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

interface BodySchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, BodySchema>>;
  readonly additionalProperties?: boolean;
  readonly anyOf?: readonly BodySchema[];
  readonly items?: BodySchema;
}

interface Stranger {
  readonly given: unknown;
  readonly at: string;
  readonly known: readonly string[];
}

/** Values with a member that is not described, one for each object that a schema describes. */
function strangers(schema: BodySchema, name: string): Stranger[] {
  const wrap = (
    key: string | number,
    within: readonly Stranger[],
    of: (value: unknown) => unknown,
  ) => within.map(({ given, at, known }) => ({ given: of(given), at: `/${key}${at}`, known }));
  if (schema.anyOf !== undefined) {
    return schema.anyOf.flatMap((alternative) => strangers(alternative, name)).slice(0, 1);
  }
  if (schema.items !== undefined) return wrap(0, strangers(schema.items, name), (value) => [value]);
  const { properties, additionalProperties } = schema;
  if (properties === undefined || additionalProperties === true) return [];
  return [
    { given: { [name]: 1 }, at: `/${name}`, known: Object.keys(properties) },
    ...Object.entries(properties).flatMap(([key, member]) =>
      wrap(key, strangers(member, name), (value) => ({ [key]: value })),
    ),
  ];
}

const addFormats = addFormatsModule as unknown as (ajv: Ajv2020) => void;

describe("the OpenAPI document", () => {
  let model: OpenAiServer;
  let service: TestService;
  let client: Client;
  let document: Document;
  let ajv: Ajv2020;

  beforeAll(async () => {
    model = await startOpenAiServer();
    service = await startService({ env: { OPENAI_BASE_URL: model.url } });
    client = createClient(service.url);
    document = (await client.get<Document>("/openapi.json")).body;
    ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats(ajv);
    ajv.addSchema({ ...document, $id: "document" });
  });
  afterAll(async () => {
    await service.stop();
    await model.close();
  });

  const pointer = (parts: readonly string[]) =>
    parts.map((part) => part.replaceAll("~", "~0").replaceAll("/", "~1")).join("/");

  const expectValid = (schemaPath: readonly string[], value: unknown) => {
    const validate = ajv.getSchema(`document#/${pointer(schemaPath)}`);
    if (validate === undefined) throw new Error(`no schema at ${schemaPath.join(" ")}`);
    expect(validate(value), `${schemaPath.join(" ")} ${JSON.stringify(validate.errors)}`).toBe(
      true,
    );
  };

  it("is valid OpenAPI 3.1", async () => {
    const result = await new Validator().validate(
      structuredClone(document) as unknown as Record<string, unknown>,
    );
    expect(result).toMatchObject({ valid: true });
    expect((document as unknown as { openapi: string }).openapi).toBe("3.1.0");
  });

  it("passes the linter", async () => {
    const problems = await lintFromString({
      source: JSON.stringify(document),
      absoluteRef: "openapi.json",
      config: await createConfig({
        extends: ["recommended"],
        // Health and information refuse nobody.
        rules: { "operation-4xx-response": "off" },
      }),
    });
    const found = problems.map(
      ({ ruleId, message, location: [place] }) => `${ruleId}: ${message} ${place?.pointer ?? ""}`,
    );
    // An example of a stream is its text; the schema is that of each event in it.
    const isStream = /^no-invalid-media-type-examples: .*text~1event-stream\/example$/;
    expect(found.filter((each) => !isStream.test(each))).toEqual([]);
  });

  it("describes every operation: summary, answer, and errors with examples", () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );
    expect(operations.length).toBeGreaterThanOrEqual(25);
    for (const { path, method, operation } of operations) {
      const name = `${method} ${path}`;
      expect(operation.summary, name).toMatch(/\S/);
      expect(operation.operationId, name).toMatch(/^[a-z]+[A-Z]\w+$/);
      expect(operation.security, name).toBeDefined();
      expect(operation.responses["200"] ?? operation.responses["101"], name).toBeDefined();
      if (!path.startsWith("/chat") && !path.startsWith("/sessions")) continue;
      const failure = operation.responses["500"]?.content?.["application/json"];
      expect(failure?.schema, name).toEqual({ $ref: "#/components/schemas/Problem" });
      expect(failure?.examples, name).toHaveProperty("internal_error");
    }
  });

  it("names all events of a stream", () => {
    const stream =
      document.paths["/chat/message/stream"]?.["post"]?.responses["200"]?.content?.[
        "text/event-stream"
      ];
    const { anyOf = [] } = (stream?.schema ?? {}) as { anyOf?: { $ref: string }[] };
    expect(anyOf.map(({ $ref }) => $ref.split("/").at(-1))).toEqual(
      [
        "user_message",
        "queued",
        "assistant_chunk",
        "reasoning_chunk",
        "tool_call",
        "agent_event",
        "media",
        "sources",
        "suggestions",
        "tasks",
        "agent_custom",
        "audio_chunk",
        "audio_response",
        "steered",
        "paused",
        "replaced",
        "snapshot",
        "conversation_complete",
        "cancelled",
        "error",
      ].map((name) => `event_${name}`),
    );
  });

  it("has bodies that take what they describe and nothing else, at every depth", async () => {
    const [base, note] = [{ session: "s", message: "m" }, "titel"];
    const formOf = (fields: object) => {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.append(name, String(value));
      form.append("audio_file", new Blob(["RIFF"]), "recording");
      return form;
    };
    const ask = async (method: string, path: string, body: unknown) => {
      const response = await fetch(client.url + path, {
        method,
        ...(body instanceof FormData
          ? { body }
          : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      });
      const { error } = (await response.json()) as { error: { details?: object[] } };
      return { status: response.status, details: error.details };
    };
    let refused = 0;
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, { requestBody }] of Object.entries(methods)) {
        const [type, { schema }] = Object.entries(requestBody?.content ?? {})[0] ?? ["", {}];
        if (schema === undefined) continue;
        const url = path.replaceAll(
          /\{(\w+)_id\}/g,
          (_all, name: string) => base[name as "session"],
        );
        for (const { given, at, known } of strangers(schema, note)) {
          const name = `${method} ${path} ${at}`;
          const body = type === "multipart/form-data" ? formOf(given as object) : given;
          // Who it is for stands in the query: the body is the file.
          const who = path === "/import" ? "?user_id=alice" : "";
          const { status, details } = await ask(method.toUpperCase(), url + who, body);
          expect(status, name).toBe(422);
          const message = `is not known; known are ${known.filter((each) => each !== "audio_file").join(", ")}`;
          expect(details, name).toContainEqual({ path: at, message });
          refused += 1;
        }
      }
    }
    expect(refused).toBeGreaterThan(12);
  });

  it("is what the service really answers", async () => {
    const sessionId = await client.session("alice");
    model.enqueue({ tokens: ["a", "b"], reasoning: ["hm"] });
    const events = await (await client.stream({ session_id: sessionId, message: "x" })).all();
    const messageId = events[0]?.["message_id"] as string;
    for (const { id, ...event } of events) {
      expect(id).toBeGreaterThan(0);
      expectValid(["components", "schemas", `event_${event.type}`], event);
    }
    const failing = { tokens: ["a"], fault: { kind: "die" }, delayMs: 30 } as const;
    model.enqueue(failing);
    const failed = await (await client.stream({ session_id: sessionId, message: "x" })).all();
    const { id: _id, ...last } = failed.at(-1) ?? { id: 0, type: "none" };
    expectValid(["components", "schemas", "event_error"], last);

    const calls: [string, string, string, unknown?][] = [
      ["post", "/chat/session", "/chat/session", { user_id: "alice" }],
      ["get", "/chat/session/{session_id}/status", `/chat/session/${sessionId}/status`],
      ["get", "/sessions", "/sessions?user_id=alice"],
      ["get", "/sessions/{session_id}", `/sessions/${sessionId}`],
      ["patch", "/sessions/{session_id}", `/sessions/${sessionId}`, { title: "t" }],
      ["get", "/sessions/user/{user_id}/stats", "/sessions/user/alice/stats"],
      ["post", "/sessions/cleanup", "/sessions/cleanup"],
      ["post", "/chat/message", "/chat/message", { session_id: sessionId, message: "again" }],
      ["get", "/chat/message/{message_id}", `/chat/message/${messageId}`],
      ["get", "/chat/history/{session_id}", `/chat/history/${sessionId}`],
      ["get", "/chat/agents", "/chat/agents"],
      ["get", "/chat/models", "/chat/models"],
      ["post", "/sessions/batch", "/sessions/batch", { session_ids: ["x"], operation: "archive" }],
      ["get", "/health", "/health"],
      ["get", "/health/liveness", "/health/liveness"],
      ["get", "/health/readiness", "/health/readiness"],
      ["get", "/health/detailed", "/health/detailed"],
      ["get", "/health/metrics", "/health/metrics"],
      ["get", "/health/config", "/health/config"],
      ["get", "/", "/"],
      ["get", "/info", "/info"],
      ["delete", "/sessions/{session_id}", `/sessions/${sessionId}`],
      ["delete", "/chat/session/{session_id}", `/chat/session/${sessionId}`],
      ["post", "/chat/message/{message_id}/cancel", `/chat/message/${messageId}/cancel`],
    ];
    for (const [method, path, url, body] of calls) {
      const answer = await client.send(method.toUpperCase(), url, body);
      const schemaPath = ["paths", path, method, "responses", String(answer.status)];
      expectValid([...schemaPath, "content", "application/json", "schema"], answer.body);
    }
  });
});
