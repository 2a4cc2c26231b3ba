import { expect, test } from "vitest";
import type { ClaimedReply } from "../replies/reply.ts";
import type { ReplyEventBody } from "../replies/reply-event.ts";
import { silentLogger } from "../telemetry/logger.ts";
import type { AudioStore, NewAudio } from "./audio-store.ts";
import type { Voice } from "./create-voice.ts";
import type { SpokenPiece } from "./reply-speaker.ts";
import { createSpeakReplies } from "./speak-replies.ts";

/** Says each push as one piece of MP3, which is its own text; 100 ms a piece. */
function speakerOf(): ReturnType<Voice["speaker"]> {
  const said: SpokenPiece[] = [];
  const over = Promise.withResolvers<void>();
  let length = 0;
  return {
    push(text) {
      length += text.length;
      said.push({
        format: "mp3",
        sampleRateHz: null,
        bytes: Buffer.from(text),
        durationMs: 100,
        sequence: said.length + 1,
        text,
        language: "en",
        sourceEnd: length,
      });
    },
    end: () => over.resolve(),
    pieces: (async function* () {
      await over.promise;
      yield* said;
    })(),
  };
}

function stage({ streams, isKept = true }: { streams: boolean; isKept?: boolean }) {
  const saved: NewAudio[] = [];
  const events: ReplyEventBody[] = [];
  const speak = createSpeakReplies({
    voice: {
      style: () => ({ voice: undefined, format: "mp3", speed: 1 }),
      speaker: speakerOf,
      join: async (pieces) => ({
        format: "mp3",
        sampleRateHz: null,
        bytes: Buffer.concat(pieces.map(({ bytes }) => bytes)),
        durationMs: pieces.reduce((sum, { durationMs }) => sum + (durationMs ?? 0), 0),
      }),
    } as Partial<Voice> as Voice,
    store: {
      save: async (audio) => `audio-${saved.push(audio)}`,
      find: async (audioId) => {
        const audio = isKept ? saved[Number(audioId.slice(6)) - 1] : undefined;
        return audio === undefined ? null : { ...audio, audioId, createdAt: new Date() };
      },
    } as Partial<AudioStore> as AudioStore,
    logger: silentLogger,
  });
  const say = async (texts: readonly string[], before: Partial<ClaimedReply>) => {
    const voice = { enable_tts: true, stream_audio: streams };
    const reply = { replyId: "r", content: "", audio: null, turn: { voice }, ...before };
    const speech = speak(reply as ClaimedReply, (event) => events.push(event));
    for (const text of texts) speech?.push(text);
    return await speech!.finish();
  };
  return { say, events, saved: () => saved.map(({ bytes }) => Buffer.from(bytes).toString()) };
}

test("what is said after a pause goes on behind what was said before it", async () => {
  const { say, events, saved } = stage({ streams: true });
  const audio = await say(["Look. ", "Shall I?"], {});
  await say(["Done."], { content: "Look. Shall I?", audio });
  expect(
    events
      .filter((event) => event.type === "audio_chunk")
      .map(({ sequence, start_ms, text_start, text_end }) => [
        sequence,
        start_ms,
        text_start,
        text_end,
      ]),
  ).toEqual([
    [1, 0, 0, 6],
    [2, 100, 6, 14],
    [3, 200, 14, 19],
  ]);
  expect(saved()).toEqual(["Look. Shall I?", "Look. Shall I?Done."]);
});

test("the whole of it is told at the pause, and again at the end", async () => {
  const { say, events } = stage({ streams: false });
  const audio = await say(["Shall I?"], {});
  expect(audio).toEqual({
    audio_id: "audio-1",
    url: "/chat/audio/audio-1",
    format: "mp3",
    duration_ms: 100,
    pieces: 1,
    status: "complete",
  });
  expect(await say([" Done."], { content: "Shall I?", audio })).toMatchObject({
    audio_id: "audio-2",
    duration_ms: 200,
    pieces: 2,
  });
  expect(
    events.map(
      (event) =>
        event.type === "audio_response" && Buffer.from(event.audio.data ?? "", "base64").toString(),
    ),
  ).toEqual(["Shall I?", "Shall I? Done."]);
});

test("nothing more is said: what was said stays", async () => {
  const { say, events } = stage({ streams: false });
  const audio = await say(["Shall I?"], {});
  expect(await say([], { content: "Shall I?", audio })).toEqual(audio);
  expect(events).toHaveLength(1);
});

test("what was said is kept no longer, or has failed: the rest is said all the same", async () => {
  const { say, saved } = stage({ streams: false, isKept: false });
  const audio = await say(["Shall I?"], {});
  await say(["Done."], { audio });
  await say(["Well."], { audio: { status: "failed", code: "speech_failed", message: "" } });
  expect(saved()).toEqual(["Shall I?", "Done.", "Well."]);
});
