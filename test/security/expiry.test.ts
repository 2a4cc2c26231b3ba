import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { createClient } from "../support/client.ts";
import { startSecurityStage, users, type SecurityStage } from "./stage.ts";

/** Seconds; the first reply must have begun by then. */
const life = 6;

describe("what is open when its reason goes away", () => {
  let stage: SecurityStage;

  beforeAll(async () => {
    stage = await startSecurityStage();
  });
  afterAll(() => stage.stop());

  const brief = async () => {
    const token = await stage.signToken({ sub: users.owner }, life);
    return createClient(stage.service.url, { authorization: `Bearer ${token}` });
  };
  const neverEnding = () => stage.model.enqueue({ tokens: ["a"], fault: { kind: "hang" } });

  it("a stream ends when its viewer's token has expired; the reply goes on", async () => {
    const client = await brief();
    neverEnding();
    const stream = await client.stream({ message: "wait" });
    const first = await stream.next((event) => event.type === "assistant_chunk");
    const replyId = first["message_id"] as string;
    await stream.all();
    expect(stream.isDone()).toBe(false);
    await expect(client.follow(replyId)).rejects.toThrow(/^401 /);
    const { body } = await stage.clients.owner.get(`/chat/message/${replyId}`);
    expect(body).toMatchObject({ status: "streaming" });
    // With a new token it is followed on, from where it was.
    const again = await stage.clients.owner.follow(replyId, stream.events.at(-1)?.id ?? 0);
    expect(again.status).toBe(200);
    again.close();
    await stage.clients.owner.send("POST", `/chat/message/${replyId}/cancel`);
  });

  it.each(["header", "message"])("a WebSocket ends too: token in its %s", async (way) => {
    const token = await stage.signToken({ sub: users.owner }, life);
    const socket = new WebSocket(`${stage.service.url.replace("http", "ws")}/chat/ws`, {
      headers: way === "header" ? { authorization: `Bearer ${token}` } : {},
    });
    const said: string[] = [];
    socket.on("message", (data: Buffer) => said.push(data.toString()));
    await once(socket, "open");
    if (way === "message") socket.send(JSON.stringify({ type: "auth", token }));
    const [code] = (await once(socket, "close")) as [number];
    expect(said[0]).toContain("connection_established");
    expect(said.at(-1)).toContain("unauthorized");
    expect(code).toBe(4401);
  });

  it("streams end when the session is deleted, and its reply is gone", async () => {
    const sessionId = await stage.clients.owner.session(users.owner);
    neverEnding();
    const asked = await stage.clients.owner.stream({ session_id: sessionId, message: "wait" });
    const first = await asked.next((event) => event.type === "assistant_chunk");
    const replyId = first["message_id"] as string;
    const viewer = await stage.clients.admin.follow(replyId);
    await viewer.next((event) => event.type === "assistant_chunk");
    const gone = await stage.clients.owner.send("DELETE", `/sessions/${sessionId}`);
    expect(gone.status).toBe(200);
    for (const stream of [asked, viewer]) {
      expect((await stream.all()).at(-1)).toMatchObject({ type: "cancelled" });
    }
    await expect(stage.clients.owner.follow(replyId)).rejects.toThrow(/^404 /);
  });
});
