import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { faultText, startJsonServer, type JsonServer } from "../../test/support/json-server.ts";
import { fetchJson, PeerFault } from "./fetch-json.ts";

let server: JsonServer;

beforeAll(async () => {
  server = await startJsonServer(({ path, headers }) => {
    if (path === "/empty") return { status: 204 };
    if (path === "/busy") return { status: 503, headers: { "retry-after": "7" }, body: {} };
    return { status: 200, body: { token: headers.authorization ?? null } };
  });
});

beforeEach(() => server.recover());
afterAll(() => server.stop());

const limits = { timeoutMs: 5_000 };

test("gives status and body, whatever the status is", async () => {
  const headers = { authorization: "Bearer t" };
  expect(await fetchJson(server.url, { ...limits, headers })).toEqual({
    status: 200,
    body: { token: "Bearer t" },
    retryAfter: null,
  });
  expect(await fetchJson(`${server.url}/empty`, limits)).toMatchObject({
    status: 204,
    body: undefined,
  });
  expect(await fetchJson(`${server.url}/busy`, limits)).toMatchObject({
    status: 503,
    retryAfter: "7",
  });
});

test("sends a body as JSON", async () => {
  await fetchJson(server.url, { ...limits, method: "POST", body: { a: "ü" } });
  const { method, body, headers } = server.requests.at(-1)!;
  expect([method, body, headers["content-type"]]).toEqual(["POST", { a: "ü" }, "application/json"]);
});

test("a user in the URL is sent as Basic, unless there are better credentials", async () => {
  const url = server.url.replace("://", "://me:p%40ss@");
  const basic = `Basic ${Buffer.from("me:p@ss").toString("base64")}`;
  expect((await fetchJson(`${url}/a?b=1`, limits)).body).toEqual({ token: basic });
  expect(server.requests.at(-1)?.query.get("b")).toBe("1");
  const headers = { authorization: "Bearer t" };
  expect((await fetchJson(url, { ...limits, headers })).body).toEqual({ token: "Bearer t" });
});

test("follows no redirect", async () => {
  server.fail("redirect");
  const count = server.requests.length;
  expect(await fetchJson(server.url, limits)).toMatchObject({ status: 307 });
  expect(server.requests.length).toBe(count + 1);
});

test("garbage is a body that is undefined", async () => {
  server.fail("garbage");
  expect(await fetchJson(server.url, limits)).toMatchObject({ status: 200, body: undefined });
});

test("too slow, too large, cut off and not there are faults without the peer's words", async () => {
  const faultOf = async (request = limits) =>
    (await fetchJson(server.url, request).catch((error: unknown) => error)) as PeerFault;
  server.fail("slow");
  expect((await faultOf({ timeoutMs: 20 })).message).toBe("no answer within 20 ms");
  server.recover();
  server.fail("endless");
  expect((await faultOf()).message).toBe("an answer of more than 262144 bytes");
  server.fail("reset");
  const reset = await faultOf();
  expect(reset).toBeInstanceOf(PeerFault);
  expect(reset.message).not.toContain(faultText);
  await server.stop();
  expect((await faultOf()).message).toBe("ECONNREFUSED");
  await server.start();
  server.recover();
  expect((await fetchJson(server.url, limits)).status).toBe(200);
});

test("what may be repeated is asked twice when the connection is cut, never more", async () => {
  server.fail("reset");
  for (const [repeatable, asked] of [
    [true, 2],
    [false, 1],
  ] as const) {
    const count = server.requests.length;
    await expect(fetchJson(server.url, { ...limits, repeatable })).rejects.toThrow(PeerFault);
    expect(server.requests.length - count).toBe(asked);
  }
});

test("an abort ends it with its own reason", async () => {
  server.fail("slow");
  const controller = new AbortController();
  const asked = server.nextRequest();
  const exchange = fetchJson(server.url, { ...limits, signal: controller.signal });
  await asked;
  controller.abort(new Error("enough"));
  await expect(exchange).rejects.toThrow("enough");
});
