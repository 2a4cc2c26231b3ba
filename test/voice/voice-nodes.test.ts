import { afterAll, beforeAll, expect, test } from "vitest";
import { startStage, type Stage } from "../support/stage.ts";
import { connectSocket, type SocketMessage } from "../support/web-socket-client.ts";

type Json = Record<string, unknown>;

const is = (type: string) => (message: SocketMessage) => message.type === type;

let stage: Stage | null;

beforeAll(async () => {
  stage = await startStage({ nodes: 2 });
});
afterAll(() => stage?.stop());

test("a reply that one node makes is heard, interrupted and cut on another", async (context) => {
  if (stage === null) return context.skip();
  const client = stage.client(0);
  const sessionId = await client.session("alice");
  // Words without an end in sight: only the interruption ends it.
  const stream = await client.stream({
    session_id: sessionId,
    message: "slow 5000 20",
    voice_config: { enable_tts: true, stream_audio: true, format: "opus" },
  });
  const first = await stream.next(({ type }) => type === "audio_chunk");
  const messageId = first["message_id"];
  const socket = connectSocket(`${stage.node(1).url}/chat/ws?session_id=${sessionId}`);
  await socket.next(is("connection_established"));
  socket.send({ type: "resume", message_id: messageId, after: 0 });
  const heard = await socket.next(is("audio_chunk"));
  expect(heard["data"]).toBe(first["data"]);
  const playedMs = Number(heard["duration_ms"]) + 1;
  socket.send({ type: "interrupt", message_id: messageId, played_ms: playedMs });
  const cut = await socket.next(is("playback_interrupted"));
  expect((await stream.all()).at(-1)).toMatchObject({ type: "cancelled" });
  const spoken = String(cut["spoken"]);
  expect(spoken.startsWith("w0 w1 ")).toBe(true);
  expect(spoken.length).toBeGreaterThanOrEqual(Number(heard["text_end"]) - 1);
  for (const index of [0, 1]) {
    const message = await stage.client(index).get<Json>(`/chat/message/${String(messageId)}`);
    expect(message.body).toMatchObject({
      status: "cancelled",
      content: spoken,
      unspoken: cut["unspoken"],
    });
  }
  expect(String(cut["unspoken"])).not.toBe("");
  socket.socket.close();
});
