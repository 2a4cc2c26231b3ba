import { afterAll, beforeAll, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startService, type TestService } from "../support/start-service.ts";

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startService();
  client = createClient(service.url);
});
afterAll(() => service.stop());

it("lets no cache keep what belongs to somebody, refusals included", async () => {
  for (const path of ["/sessions?user_id=alice", "/chat/agents", "/chat/voices", "/nowhere"]) {
    expect((await client.get(path)).headers.get("cache-control"), path).toBe("no-store");
  }
});

it("answers forged cursors as what they are", async () => {
  const sessionId = await client.session("alice");
  const forged = (position: object) => Buffer.from(JSON.stringify(position)).toString("base64url");
  for (const lastActivity of ["1", "foo 1", "+275760-09-13T00:00:00.000Z"]) {
    const cursor = forged({ lastActivity, sessionId });
    expect((await client.get(`/sessions?user_id=alice&cursor=${cursor}`)).status).toBe(422);
  }
  for (const position of [{ after: 2 ** 31 }, { before: 2 ** 53 - 1 }]) {
    const path = `/chat/history/${sessionId}?cursor=${forged(position)}`;
    expect((await client.get(path)).status).toBe(422);
  }
});

it("names the methods of exactly this path", async () => {
  for (const [path, allowed] of [
    ["/sessions/batch", "POST"],
    ["/sessions/cleanup", "POST"],
    ["/sessions/x", "GET, HEAD, PATCH, DELETE"],
  ] as const) {
    const { status, headers } = await client.send("PUT", path);
    expect([status, headers.get("allow")]).toEqual([405, allowed]);
  }
});
