import { request } from "node:http";
import { text } from "node:stream/consumers";
import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createClient } from "../support/client.ts";
import { startService, type TestService } from "../support/start-service.ts";

const token = "of-whoever-watches-0123456789";
const apiKey = "an-administrators-key-0123456789";
const kept = ["/metrics", "/health/metrics", "/health/detailed"];
const states = ["/health", "/health/liveness", "/health/readiness", "/health/config"];

let service: TestService;
let apart: string;
beforeAll(async () => {
  service = await startService({
    env: {
      MONITORING_PORT: "0",
      MONITORING_TOKEN: token,
      SECURITY_ALLOWED_HOSTS: "127.0.0.1",
      AUTH_API_KEYS: JSON.stringify([
        {
          name: "admin",
          sha256: createHash("sha256").update(apiKey).digest("hex"),
          user_id: "root",
          roles: ["admin"],
        },
      ]),
    },
  });
  const line = service
    .output()
    .split("\n")
    .find((each) => each.includes("are served apart"));
  apart = /http:[^"]+/.exec(line ?? "")?.[0] ?? "";
});
afterAll(() => service.stop());

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** `fetch` does not let the host be chosen. */
function ask(url: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(url, { headers, method }, (response) => {
      const { statusCode: status = 0, headers: got } = response;
      text(response).then((body) => resolve({ status, headers: got, body }), reject);
    })
      .once("error", reject)
      .end();
  });
}

const bearer = (value: string) => ({ authorization: `Bearer ${value}` });

it.each(kept)("%s is not there at the port of the service, whoever asks", async (path) => {
  for (const prefix of ["", "/api", "/api/v1"]) {
    for (const headers of [{}, bearer(token), bearer(apiKey)]) {
      const { status, body } = await ask(service.url + prefix + path, headers);
      expect(status).toBe(404);
      expect(body).toContain('"not_found"');
    }
  }
  const { body } = await createClient(service.url).get("/info");
  expect(JSON.stringify(body)).not.toContain(`${path}"`);
});

it.each(kept)("%s is at the port apart, for whoever has the token alone", async (path) => {
  for (const headers of [
    {},
    bearer("another"),
    bearer(`${token}x`),
    bearer(apiKey),
    { "x-api-key": token },
    { authorization: `Basic ${token}` },
  ]) {
    const { status, headers: got } = await ask(apart + path, headers);
    expect([status, got["www-authenticate"]]).toEqual([401, "Bearer"]);
  }
  expect((await ask(`${apart}${path}?token=${token}`)).status).toBe(401);
  for (const name of ["127.0.0.1", "10.1.2.3:8002", "chat-1:8002"]) {
    expect((await ask(apart + path, { ...bearer(token), host: name })).status).toBe(200);
  }
});

it.each(states)("%s is told at both ports, under every name, without a token", async (path) => {
  for (const url of [service.url, apart]) {
    const { status } = await ask(url + path, { host: "10.1.2.3:8001" });
    expect(status).toBe(200);
  }
});

it("nothing else is at the port apart", async () => {
  const { body: document } = await createClient(service.url).get<{
    paths: Record<string, Record<string, unknown>>;
  }>("/openapi.json");
  const others = Object.entries(document.paths)
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => ({ path, method })))
    .filter(({ path }) => ![...kept, ...states].includes(path));
  expect(others.length).toBeGreaterThan(30);
  for (const { path, method } of [
    ...others,
    { path: "/openapi.json", method: "get" },
    { path: "/docs", method: "get" },
    { path: "/status", method: "get" },
    { path: "/chat/ws", method: "get" },
  ]) {
    const answer = await ask(apart + path, bearer(apiKey), method.toUpperCase());
    expect([answer.status, method, path]).toEqual([404, method, path]);
  }
  const upgrade = { connection: "upgrade", upgrade: "websocket", ...bearer(apiKey) };
  expect((await ask(`${apart}/chat/ws`, upgrade)).status).toBe(404);
});
