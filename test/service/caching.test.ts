import { connect } from "node:net";
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
  const { body: document } = await client.get<{ paths: Record<string, object> }>("/openapi.json");
  const found: unknown[] = [];
  const expected: unknown[] = [];
  for (const [pattern, operations] of Object.entries(document.paths)) {
    const path = pattern.replaceAll(/\{\w+\}/g, "x");
    const named = Object.keys(operations).map((method) => method.toUpperCase());
    const allowed = new Set(named.flatMap((name) => (name === "GET" ? [name, "HEAD"] : [name])));
    // Known ones, such as the parser knows besides, and one that nobody knows.
    const wrong = [...standardMethods, "QUERY", "TRACE", "PROPFIND", "NONSENSE"].filter(
      (method) => !allowed.has(method),
    );
    const spellings = [path, `/api/v1${path}`, `${path === "/" ? "" : path}/?limit=1`];
    const asked = wrong.flatMap((method) => spellings.map((each) => [method, each] as const));
    const answers = await Promise.all(
      asked.map(async ([method, spelling]) => {
        const [status, allow] = await statusOf(method, spelling);
        return [method, spelling, status, allow?.split(", ").toSorted()];
      }),
    );
    found.push(...answers);
    expected.push(...asked.map(([method, each]) => [method, each, 405, [...allowed].toSorted()]));
  }
  expect(found).toEqual(expected);
  expect(await statusOf("NONSENSE", "/nowhere")).toEqual([404, undefined]);
});

const standardMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** As it is sent: `fetch` knows some methods only. */
function statusOf(
  method: string,
  path: string,
): Promise<[status: number, allow: string | undefined]> {
  const { hostname, port } = new URL(client.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write(`${method} ${path} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`),
    );
    let head = "";
    socket.setEncoding("latin1").on("data", (text: string) => (head += text));
    socket.once("error", reject);
    socket.once("close", () =>
      resolve([
        Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]),
        /^allow: (.*)\r$/im.exec(head)?.[1],
      ]),
    );
  });
}
