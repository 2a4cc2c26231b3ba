import { createHmac } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import {
  startJsonServer,
  type JsonServer,
  type JsonServerAnswer,
} from "../../test/support/json-server.ts";
import type { ClaimedEntry } from "../database/outbox.ts";
import { createWebhook, signatureHeaders } from "./webhook.ts";

const servers: JsonServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function receiver(answer: JsonServerAnswer = { status: 204 }): Promise<JsonServer> {
  const server = await startJsonServer(() => answer);
  servers.push(server);
  return server;
}

const event: ClaimedEntry = {
  entryId: "01900000-0000-7000-8000-000000000001",
  type: "chat_session.created",
  data: { session_id: "s", user_id: "用户" },
  createdAt: new Date("2026-11-22T10:00:00.123Z"),
  attempt: 1,
};

const never = new AbortController().signal;
const nowMs = 1_800_000_000_500;

test("posts both vocabularies in one body", async () => {
  const server = await receiver();
  const webhook = createWebhook({ url: `${server.url}/hook?x=1`, secret: null, now: () => nowMs });
  expect(await webhook.deliver(event, never)).toEqual({ outcome: "delivered" });
  const [request] = server.requests;
  expect(request).toMatchObject({ method: "POST", path: "/hook" });
  expect(request?.headers).toMatchObject({
    "content-type": "application/json",
    "webhook-id": event.entryId,
    "webhook-timestamp": "1800000000",
  });
  expect(request?.headers["webhook-signature"]).toBeUndefined();
  expect(request?.headers["x-signature-256"]).toBeUndefined();
  expect(request?.body).toEqual({
    id: event.entryId,
    event_type: "chat_session.created",
    type: "user_action",
    source_service: "chat-service",
    data: { session_id: "s", user_id: "用户" },
    priority: 2,
    timestamp: "2026-11-22T10:00:00.123Z",
  });
});

test.each([
  ["a text", "the secret", Buffer.from("the secret")],
  [
    "a Standard Webhooks key",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64"),
  ],
])("signs the bytes that are sent with %s", async (_name, secret, key) => {
  const server = await receiver();
  await createWebhook({ url: server.url, secret, now: () => nowMs }).deliver(event, never);
  const { headers, rawBody } = server.requests[0]!;
  const sign = (text: string) => createHmac("sha256", key).update(text);
  expect(headers["webhook-signature"]).toBe(
    `v1,${sign(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${rawBody}`).digest("base64")}`,
  );
  expect(headers["x-signature-256"]).toBe(`sha256=${sign(rawBody).digest("hex")}`);
});

test("the example of the Standard Webhooks specification", () => {
  // msg_p5jXN8AQM9LWM0D4loKWxJek at 1614265330 with {"test": 2432232314}, from its reference implementations.
  const key = Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64");
  const headers = signatureHeaders(
    key,
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    1_614_265_330,
    '{"test": 2432232314}',
  );
  expect(headers["webhook-signature"]).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
});

test.each([
  [200, {}, { outcome: "delivered" }],
  [202, {}, { outcome: "delivered" }],
  [302, { location: "/other" }, { problem: "status 302", final: false }],
  [400, {}, { problem: "status 400", final: false }],
  [410, {}, { problem: "status 410", final: true }],
  [500, {}, { problem: "status 500", final: false, retryAfterMs: null }],
  [503, { "retry-after": "7" }, { final: false, retryAfterMs: 7_000 }],
  [429, { "retry-after": "999999" }, { retryAfterMs: 3_600_000 }],
  [503, { "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT" }, { retryAfterMs: null }],
] as const)("status %i with %j", async (status, headers, expected) => {
  const server = await receiver({ status, headers });
  const webhook = createWebhook({ url: server.url, secret: null });
  expect(await webhook.deliver(event, never)).toMatchObject(expected);
  expect(server.requests.length).toBe(1);
});

test("an answer that never ends or never comes is a failed delivery", async () => {
  const server = await receiver();
  server.fail("endless");
  const webhook = createWebhook({ url: server.url, secret: null, timeoutMs: 2_000 });
  expect(await webhook.deliver(event, never)).toMatchObject({ outcome: "failed", final: false });
  server.fail("slow");
  const quick = createWebhook({ url: server.url, secret: null, timeoutMs: 20 });
  expect(await quick.deliver(event, never)).toMatchObject({ problem: "no answer within 20 ms" });
  await server.stop();
  expect(await webhook.deliver(event, never)).toMatchObject({ problem: "ECONNREFUSED" });
});

test("an abort is no failed delivery", async () => {
  const server = await receiver();
  server.fail("slow");
  const controller = new AbortController();
  const asked = server.nextRequest();
  const delivery = createWebhook({ url: server.url, secret: null }).deliver(
    event,
    controller.signal,
  );
  await asked;
  controller.abort(new Error("enough"));
  await expect(delivery).rejects.toThrow("enough");
});
