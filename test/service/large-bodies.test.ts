import { afterAll, beforeAll, expect, it } from "vitest";
import { createClient, type Client } from "../support/client.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { connectSocket } from "../support/web-socket-client.ts";

let service: TestService;
let client: Client;
beforeAll(async () => {
  // As many values as the bytes of one message can hold would need gigabytes.
  service = await startService({ env: { NODE_OPTIONS: "--max-old-space-size=256" } });
  client = createClient(service.url);
});
afterAll(() => service.stop());

const megabyte = 1024 * 1024;
const fill = (piece: string) =>
  Array.from({ length: (13 * megabyte) / (piece.length + 1) }, () => piece).join(",");

it.each([
  ["objects", () => `{"message":"x","user_id":"alice","metadata":{"a":[${fill("{}")}]}}`],
  ["numbers", () => `{"message":"x","user_id":"alice","context":{"a":[${fill("0")}]}}`],
  ["members", () => `{"message":"x","user_id":"alice",${fill('"b":1')}}`],
  ["levels", () => `{"message":"x","a":${"[".repeat(13 * megabyte)}`],
])("refuses millions of %s before they are made, on every way in", async (_what, make) => {
  const body = make();
  const paths = ["/chat/message", "/chat/message", "/chat/message/stream"];
  const answers = await Promise.all(paths.map((path) => client.send("POST", path, body)));
  for (const answer of answers) {
    expect(answer).toMatchObject({ status: 413, body: { error: { type: "payload_too_large" } } });
  }
  const chat = connectSocket(`${service.url}/chat/ws?user_id=alice`);
  await chat.next(({ type }) => type === "connection_established");
  chat.send(body);
  expect(await chat.next(({ type }) => type === "error")).toMatchObject({ code: 413 });
  chat.socket.close();
});

it("bounds everything but files by limits.max_body_size", async () => {
  const file = { name: "a.bin", media_type: "application/octet-stream", data: "" };
  const base64 = Buffer.alloc(5 * megabyte).toString("base64");
  const send = (body: object) =>
    client.send("POST", "/chat/message", { user_id: "alice", message: "hi", ...body });
  // Its agent takes no such files; the message itself is fine.
  const withFile = await send({ attachments: [{ ...file, data: base64 }] });
  expect(withFile.status).not.toBe(413);
  for (const more of [
    { note: base64 },
    { attachments: [{ ...file, name: base64 }] },
    { message: base64 },
  ]) {
    expect(await send(more)).toMatchObject({
      status: 413,
      body: { error: { type: "payload_too_large" } },
    });
  }
});

it("bounds each object of a caller's own, also what patches add up to", async () => {
  const text = "x".repeat(64 * 1024);
  const refused = (name: string) => ({
    status: 422,
    body: {
      error: {
        details: [{ path: `/${name}`, message: "must not be larger than 65536 bytes as JSON" }],
      },
    },
  });
  for (const name of ["metadata", "context", "session_config"]) {
    const body = { user_id: "alice", message: "hi", [name]: { text } };
    expect(await client.send("POST", "/chat/message", body)).toMatchObject(refused(name));
    const chat = connectSocket(`${service.url}/chat/ws`);
    await chat.next(({ type }) => type === "connection_established");
    chat.send({ type: "chat", ...body });
    expect(await chat.next(({ type }) => type === "error")).toMatchObject({
      details: [{ path: `/${name}` }],
    });
    chat.socket.close();
  }
  for (const name of ["metadata", "session_config"]) {
    const body = { user_id: "alice", [name]: { text } };
    expect(await client.send("POST", "/chat/session", body)).toMatchObject(refused(name));
  }
  const path = `/sessions/${await client.session("alice", { metadata: { text: text.slice(100) } })}`;
  const patch = (metadata: object) => client.send("PATCH", path, { metadata });
  expect((await patch({ more: "x".repeat(10) })).status).toBe(200);
  expect(await patch({ yetMore: "x".repeat(100) })).toMatchObject(refused("metadata"));
  expect((await patch({ text: null, yetMore: "x".repeat(100) })).status).toBe(200);
});
