import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startBaseService, type BaseServiceServer } from "../support/base-service-server.ts";
import { createClient, type Client } from "../support/client.ts";
import { startGateway, type GatewayServer } from "../support/gateway-server.ts";
import { faultText } from "../support/json-server.ts";
import { startModelService, type ModelServiceServer } from "../support/model-service-server.ts";
import type { Turn } from "../support/scripted-turn.ts";
import { eventually } from "../support/stage.ts";
import { startService, type TestService } from "../support/start-service.ts";

const well: Turn = { tokens: ["Hello!"] };

describe("the platform's three services around the running service", () => {
  let base: BaseServiceServer;
  let gateway: GatewayServer;
  let models: ModelServiceServer;
  let service: TestService;
  let alice: Client;
  let modelTurn = well;
  let users = 0;

  const as = (token: string) => createClient(service.url, { authorization: `Bearer ${token}` });
  /** Nobody that the service has met. */
  const newcomer = () => {
    users += 1;
    const token = `token-${users}`;
    base.setUser(token, { id: token, username: token, role: "user" });
    return as(token);
  };
  const say = (client: Client) => client.send("POST", "/chat/message", { message: "hello" });

  beforeAll(async () => {
    [base, gateway, models] = await Promise.all([
      startBaseService(),
      startGateway(),
      startModelService({ respond: () => modelTurn }),
    ]);
    service = await startService({
      env: {
        AUTH_MODE: "base-service",
        BASE_SERVICE_URL: base.url,
        BASE_SERVICE_CACHE_TTL_SECONDS: "600",
        GATEWAY_URL: gateway.url,
        GATEWAY_HEALTH_CHECK_INTERVAL: "1",
        MODEL_SERVICE_URL: models.url,
        MODELS_DEFAULT_MODEL: "zhipu/glm-4",
        MODEL_SERVICE_CACHE_TTL_SECONDS: "0",
      },
    });
    alice = newcomer();
    expect((await say(alice)).status).toBe(200);
  });
  afterAll(async () => {
    expect(await service.stop()).toBe(0);
    expect(gateway.instances()).toEqual([]);
    await Promise.all([base.stop(), gateway.stop(), models.close()]);
  });

  /** Whatever is wrong with the others, this holds; and callers learn nothing of their words. */
  async function staysUpAndRefuses(): Promise<void> {
    const health = await createClient(service.url).get("/health");
    expect(health).toMatchObject({ status: 200, body: { status: "healthy" } });
    // Known already, so only the model is missed.
    const message = await say(alice);
    expect([502, 503]).toContain(message.status);
    expect(JSON.stringify(message.body)).toMatch(/"type":"agent_(?:failed|unavailable)"/);
    const refused = await newcomer().get("/sessions");
    expect(refused).toMatchObject({
      status: 503,
      body: { error: { type: "storage_unavailable" } },
    });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(JSON.stringify([message.body, refused.body])).not.toContain(faultText);
  }

  async function worksAgain(): Promise<void> {
    await eventually(
      "users are known",
      async () => (await newcomer().get("/sessions")).status === 200,
    );
    await eventually("models answer", async () => (await say(alice)).status === 200);
    await eventually("it is registered", () => gateway.instances().length === 1);
  }

  it("keeps what it was told, and counts how often that helped", async () => {
    const asked = base.requests.length;
    for (let times = 0; times < 3; times += 1) expect((await say(alice)).status).toBe(200);
    // Another action than before.
    expect((await alice.get("/sessions")).status).toBe(200);
    expect(base.requests.length).toBe(asked + 1);
    const { body } = await createClient(service.url).get<string>("/metrics");
    const reads = (outcome: string) =>
      Number(
        new RegExp(
          `chat_cache_operation_duration_seconds_count{operation="read",outcome="${outcome}"} (\\d+)`,
        ).exec(body)?.[1],
      );
    expect(reads("miss")).toBeGreaterThan(0);
    expect(reads("hit")).toBeGreaterThan(5);
  });

  it.each(["error", "garbage", "reset"] as const)(
    "each of them with the fault %s",
    async (fault) => {
      base.fail(fault);
      gateway.fail(fault);
      models.setCatalogueStatus(500);
      modelTurn = {
        fault: {
          error: { kind: "status" as const, status: 500, body: faultText },
          garbage: { kind: "garbage" as const, text: faultText },
          reset: { kind: "die" as const },
        }[fault],
      };
      await staysUpAndRefuses();
      base.recover();
      gateway.recover();
      gateway.forget();
      models.setCatalogueStatus(null);
      modelTurn = well;
      await worksAgain();
    },
  );

  it("all of them slow", async () => {
    base.fail("slow");
    gateway.fail("slow");
    const refused = await newcomer().get("/sessions");
    expect(refused.status).toBe(503);
    expect((await say(alice)).status).toBe(200);
    base.recover();
    gateway.recover();
    await worksAgain();
  });

  it("all of them gone, and started anew", async () => {
    const { port } = models;
    await Promise.all([base.stop(), gateway.stop(), models.close()]);
    await staysUpAndRefuses();
    gateway.forget();
    await Promise.all([base.start(), gateway.start()]);
    models = await startModelService({ port, respond: () => modelTurn });
    await worksAgain();
  });
});
