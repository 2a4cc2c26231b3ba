import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accessTable, type Access, type Call } from "./access-table.ts";
import {
  nobodys,
  powerlessKey,
  startSecurityStage,
  users,
  type Belongings,
  type Caller,
  type SecurityStage,
} from "./stage.ts";

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const refusedCallers = ["anonymous", "expired", "other", "key"] as const;
const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** What may differ between two refusals: which request it was, when, where, and the ids that were asked for. */
function withoutParticulars({ status, headers, text }: Answer, call: Call) {
  let same = text
    .replace(/"request_id":"[^"]*"/, '"request_id":""')
    .replace(/"timestamp":"[^"]*"/, '"timestamp":""');
  const ids = [
    ...(call.path.match(uuid) ?? []),
    ...(call.path.match(/(?<=share\/)[\w-]{32}/) ?? []),
  ];
  for (const id of ids) same = same.replaceAll(id, "ID");
  if (call.body !== undefined || call.form !== undefined) same = same.replaceAll(uuid, "ID");
  const kept = [...headers]
    .filter(([name]) => !["x-request-id", "x-process-time", "date", "traceparent"].includes(name))
    .map(([name, value]) => `${name}: ${value}`);
  return { status, body: same, headers: kept };
}

describe("who may do what", () => {
  let stage: SecurityStage;
  /** For calls that leave everything as it is. */
  let shared: Belongings;

  beforeAll(async () => {
    stage = await startSecurityStage();
    shared = await stage.belongings();
  });
  afterAll(() => stage.stop());

  const ask = async (
    caller: Caller | Readonly<Record<string, string>>,
    method: string,
    call: Call,
    isEndless = false,
  ): Promise<Answer> => {
    const body = call.form ?? (call.body !== undefined ? JSON.stringify(call.body) : null);
    const response = await fetch(stage.service.url + call.path, {
      method,
      headers: {
        ...(typeof caller === "string" ? stage.headers[caller] : caller),
        ...call.headers,
        ...(call.body !== undefined && { "content-type": "application/json" }),
      },
      body,
      redirect: "manual",
    });
    const { status, headers } = response;
    if (!isEndless || status !== 200) return { status, headers, text: await response.text() };
    // What it notes down at its beginning has been noted when it says that it is ready.
    let begun = "";
    for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      begun += piece;
      if (begun.includes('"ready"')) break;
    }
    return { status, headers, text: "" };
  };

  const nameOf = ({ route, note }: Access) => (note === undefined ? route : `${route} (${note})`);
  const methodOf = ({ route }: Access) => route.split(" ")[0] ?? "";

  it("has an entry for every route that the service has, and for no other", async () => {
    const routes = await stage.routes();
    const covered = new Set(accessTable.map(({ route }) => route));
    expect(routes.length).toBeGreaterThan(50);
    for (const route of routes) expect(covered, route).toContain(route.replace(/^HEAD /, "GET "));
    for (const route of covered) expect(routes).toContain(route);
    const { body } = await stage.clients.owner.get<{ paths: Record<string, object> }>(
      "/openapi.json",
    );
    for (const [path, methods] of Object.entries(body.paths)) {
      for (const method of Object.keys(methods)) {
        const route = `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`;
        expect(covered).toContain(route);
      }
    }
  });

  const check = async (access: Access, method: string) => {
    const { expected, consumes = false, isForThemselves = false, isEndless = false } = access;
    const refusals = refusedCallers.filter((caller) => !isForThemselves || expected[caller] >= 400);
    const before = await stage.dump();
    for (const caller of refusals) {
      const call = access.call(shared, stage);
      const answer = await ask(caller, method, call, isEndless);
      const name = `${method} ${nameOf(access)} as ${caller}: ${answer.text.slice(0, 500)}`;
      if (expected[caller] !== 0) expect(answer.status, name).toBe(expected[caller]);
      if (answer.status !== 404 || method === "HEAD") continue;
      const missing = access.call(nobodys(), stage);
      const none = await ask(caller, method, missing);
      expect(withoutParticulars(answer, call), name).toEqual(withoutParticulars(none, missing));
    }
    expect(await stage.dump(), "refused, but something has changed").toBe(before);
    const others = isForThemselves ? (["other", "key"] as const) : [];
    for (const caller of [...others, "admin", "owner"] as const) {
      const own = consumes ? await stage.belongings() : shared;
      const answer = await ask(caller, method, access.call(own, stage), isEndless);
      const name = `${method} ${nameOf(access)} as ${caller}: ${answer.text.slice(0, 500)}`;
      if (expected[caller] !== 0) expect(answer.status, name).toBe(expected[caller]);
      if (method === "HEAD") expect(answer.text, name).toBe("");
    }
  };

  it.each(accessTable.map((access) => [nameOf(access), access] as const))("%s", (_name, access) =>
    check(access, methodOf(access)),
  );

  it.each(
    accessTable
      .filter((access) => methodOf(access) === "GET")
      .map((access) => [nameOf(access), access] as const),
  )("HEAD of %s", (_name, access) => check(access, "HEAD"));

  it("sees what has changed", async () => {
    const before = await stage.dump();
    await stage.clients.owner.send("PATCH", `/sessions/${shared.sessionId}`, { title: "seen" });
    expect(await stage.dump()).not.toBe(before);
  });

  const asOther = () => stage.clients.other;

  it("a batch with foreign ids changes the caller's own only, and says the same of both", async () => {
    const foreign = await stage.belongings();
    const missing = nobodys();
    const own = await asOther().session(users.other);
    for (const operation of ["archive", "activate", "delete"]) {
      const { body } = await asOther().send<{ results: Record<string, string>[] }>(
        "POST",
        "/sessions/batch",
        { operation, session_ids: [foreign.sessionId, own, missing.sessionId] },
      );
      expect(body).toMatchObject({ processed_count: 1, failed_count: 2, success: false });
      const [first, second, third] = body.results;
      expect(second).toMatchObject({ session_id: own, status: "success" });
      expect(first?.["error"]?.replaceAll(uuid, "ID")).toBe(
        third?.["error"]?.replaceAll(uuid, "ID"),
      );
    }
    const { body } = await stage.clients.owner.get(`/sessions/${foreign.sessionId}`);
    expect(body).toMatchObject({ status: "active", message_count: 4 });
  });

  it("cursors and messages of one session open nothing in another", async () => {
    const foreign = await stage.belongings();
    const { body: sent } = await asOther().send<{ session_id: string; message_id: string }>(
      "POST",
      "/chat/message",
      { message: "mine" },
    );
    const path = `/chat/history/${sent.session_id}`;
    const { body } = await asOther().get<{ messages: { session_id: string }[] }>(
      `${path}?cursor=${foreign.cursor}`,
    );
    expect(body.messages.map((message) => message.session_id)).toEqual([sent.session_id]);
    for (const position of ["before", "after", "around"]) {
      const of = async (messageId: string) => {
        const call = { path: `${path}?${position}=${messageId}` };
        return withoutParticulars(await ask("other", "GET", call), call);
      };
      const refusal = await of(foreign.messageId);
      expect(refusal.status).toBe(404);
      expect(refusal).toEqual(await of(nobodys().messageId));
    }
    // The owner's own session does not take another one's messages either.
    const { sessionId } = await stage.belongings();
    const owners = await stage.clients.owner.get(
      `/chat/history/${sessionId}?around=${foreign.messageId}`,
    );
    expect(owners.status).toBe(404);
  });

  it("a running reply cannot be followed or stopped by others, an Idempotency-Key is each user's own", async () => {
    const headers = { "idempotency-key": "the same for both" };
    stage.model.enqueue({ tokens: ["a"], fault: { kind: "hang" } });
    const stream = await stage.clients.owner.stream({ message: "hi" }, headers);
    const first = await stream.next((event) => event.type === "assistant_chunk");
    const replyId = first["message_id"] as string;
    const history = `/chat/history/${first["session_id"] as string}`;
    // What its owner says of it is stored a moment later.
    await expect
      .poll(async () => JSON.stringify((await stage.clients.owner.get(history)).body))
      .toContain('"content":"a"');
    const before = await stage.dump();
    for (const caller of refusedCallers) {
      const status = caller === "other" || caller === "key" ? 404 : 401;
      for (const [method, path] of [
        ["POST", `/chat/message/${replyId}/cancel`],
        ["POST", `/api/v1/chat/message/${replyId}/cancel/`],
        ["GET", `/chat/message/${replyId}/stream?after=1`],
        ["GET", `/api/chat/message/${replyId}/stream?after=99`],
        ["DELETE", `/chat/session/${first["session_id"] as string}`],
      ] as const) {
        expect((await ask(caller, method, { path })).status, `${caller} ${path}`).toBe(status);
      }
    }
    expect(await stage.dump()).toBe(before);
    const { body, status } = await asOther().send<{ session_id: string }>(
      "POST",
      "/chat/message",
      { message: "hi" },
      headers,
    );
    expect(status).toBe(200);
    expect(body.session_id).not.toBe(first["session_id"]);
    expect(stream.isDone()).toBe(false);
    const cancelled = await stage.clients.admin.send("POST", `/chat/message/${replyId}/cancel`);
    expect(cancelled.body).toMatchObject({ status: "cancelled" });
    expect((await stream.all()).at(-1)?.type).toBe("cancelled");
  });

  it.each(
    accessTable
      .filter(({ needsNoAction }) => needsNoAction !== true)
      .map((access) => [nameOf(access), access] as const),
  )("%s is not for a key without scopes", async (_name, access) => {
    const before = await stage.dump();
    const call = access.call(shared, stage);
    const answer = await ask(
      { "x-api-key": powerlessKey },
      methodOf(access),
      call,
      access.isEndless,
    );
    // A body that nobody may send is refused for what it is.
    expect(answer.status, answer.text).toBe(access.expected.owner === 422 ? 422 : 403);
    expect(await stage.dump()).toBe(before);
  });
});
