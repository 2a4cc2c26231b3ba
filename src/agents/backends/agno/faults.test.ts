import assert from "node:assert/strict";
import { test } from "vitest";
import { Problem } from "../../../problems/problem.ts";
import { UpstreamError } from "../../upstream/upstream-error.ts";
import { explainAway } from "./faults.ts";

const server = {
  origin: "http://agents.example:7777",
  keyFault: null,
  settings: { address: "AGNO_API_URL", key: "AGNO_API_KEY" },
};

const answered = (status: number) => new UpstreamError("status", "no", { status });
const code = (name: string) =>
  new UpstreamError("unreachable", "no", { cause: Object.assign(new Error("x"), { code: name }) });

/** What an operator reads at night: the reason, and what to do. */
test.each<[what: string, error: unknown, reason: RegExp, remedy: RegExp]>([
  ["nobody there", code("ECONNREFUSED"), /nobody listens there/, /Start AgentOS.*AGNO_API_URL/],
  ["no such name", code("ENOTFOUND"), /host name is not known/, /AGNO_API_URL/],
  ["names do not work", code("EAI_AGAIN"), /host name is not known/, /resolves names/],
  ["no way", code("EHOSTUNREACH"), /no way to its host/, /network/],
  ["a firewall", code("UND_ERR_CONNECT_TIMEOUT"), /takes connections/, /firewall/],
  ["closed at once", code("ECONNRESET"), /closes connections/, /log of AgentOS/],
  ["hanging", new UpstreamError("headers_timeout", "no"), /does not answer/, /hangs/],
  ["a slow round", new DOMException("no", "TimeoutError"), /does not answer/, /hangs/],
  ["wrong key", answered(401), /refuses the key/, /Correct AGNO_API_KEY/],
  ["a narrow key", answered(403), /let this key list/, /config:read/],
  ["another server", answered(404), /no AgentOS/, /AGNO_API_URL/],
  ["another server's page", new UpstreamError("malformed", "no"), /no AgentOS/, /AGNO_API_URL/],
  ["only its proxy", answered(502), /in front of it answers 502/, /Start AgentOS/],
  ["only its proxy, waiting", answered(504), /in front of it answers 504/, /Start AgentOS/],
  ["overloaded", answered(503), /answers 503/, /log of AgentOS/],
  ["a bug", answered(500), /answers 500/, /log of AgentOS/],
  ["anything else", new Error("?"), /does not answer/, /AGNO_API_URL/],
])("%s", (_what, error, reason, remedy) => {
  const found = explainAway(error, server);
  assert.match(found.reason, reason);
  assert.match(found.remedy, remedy);
  for (const text of [found.reason, ...Object.values(found.told)])
    assert.doesNotMatch(text, /agents\.example/);
  // As it is raised.
  const raised = new Problem("agent_failed", { agentId: "a" }, { cause: error });
  if (error instanceof UpstreamError) assert.deepEqual(explainAway(raised, server), found);
});

test("a certificate is told as such, and only where there is TLS", () => {
  const wrong = code("DEPTH_ZERO_SELF_SIGNED_CERT");
  const secure = { ...server, origin: "https://agents.example" };
  assert.match(explainAway(wrong, secure).reason, /signed by nobody but itself/);
  assert.match(explainAway(code("ERR_SSL_WRONG_VERSION_NUMBER"), secure).reason, /not speak TLS/);
  assert.match(explainAway(code("UND_ERR_SOCKET"), server).remedy, /log of AgentOS/);
});

test("a key file that cannot be read is the reason why the key is refused", () => {
  const keyFault = "its key file cannot be read (ENOENT)";
  assert.equal(explainAway(answered(401), { ...server, keyFault }).reason, keyFault);
});
