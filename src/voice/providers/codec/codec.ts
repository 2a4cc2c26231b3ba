import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import type { AudioDecoder } from "../../audio-decoder.ts";
import type { AudioEncoder } from "../../audio-encoder.ts";
import { recognitionRateHz, type AudioContainer } from "../../audio-format.ts";
import { sniffAudio } from "../../sniff-audio.ts";
import { bytesToSamples } from "../../wav.ts";
import type { ProgramRunner } from "../command/run-program.ts";
import { createWorkerClient } from "../worker-client.ts";
import type { CodecRequest, CodecResponse } from "./worker.ts";

export interface CodecOptions {
  readonly logger: Logger;
  /** Decodes what this process cannot, where the machine has it. */
  readonly ffmpeg: { readonly program: string; readonly runner: ProgramRunner } | null;
}

const accepted = "wav, mp3, m4a/mp4, aac, ogg, webm, flac, amr, caf, aiff, mp2 or wma";

/** Demuxers by container: left to itself, ffmpeg would also follow playlists that name other files. */
const demuxers: Record<AudioContainer, string> = {
  wav: "wav",
  mp3: "mp3",
  mp4: "mov",
  ogg: "ogg",
  webm: "matroska",
  flac: "flac",
  aac: "aac",
  amr: "amr",
  caf: "caf",
  aiff: "aiff",
  mp2: "mp3",
  asf: "asf",
};

function corrupt(): Problem<"validation_failed"> {
  return new Problem("validation_failed", {
    en: "The recording is damaged or holds no sound.",
    zh: "录音文件已损坏或不含声音。",
  });
}

function unsupported(got: string, expected: string): Problem<"unsupported_media_type"> {
  return new Problem("unsupported_media_type", { got, expected });
}

const inspectTimeoutMs = 2_000;
/** Decoding takes a hundredth of what was recorded, on a busy machine a few times that. */
const decodeTimeoutMs = (durationMs: number) => 3_000 + durationMs * 0.05;
/** Threads that read what strangers send: a file that takes all its time holds up half of them. */
const maxDecoders = 2;

/**
 * Reads recordings, and writes Opus in another thread, which they cannot hold up: mediabunny takes containers apart, opus-decoder decodes what
 * browsers record, WAV is read here. Everything else goes to an ffmpeg program.
 */
export function createCodec(options: CodecOptions): AudioDecoder & AudioEncoder {
  const thread = (name: string) =>
    createWorkerClient<CodecRequest, CodecResponse>({
      url: new URL("worker.ts", import.meta.url),
      name,
      timeoutMs: 60_000,
      maxWaiting: 64,
      maxHeapMb: 512,
      logger: options.logger,
    });
  const encoder = thread("audio encoder");
  const decoders = Array.from({ length: maxDecoders }, () => ({
    worker: thread("audio decoder"),
    busy: 0,
  }));

  /** By the thread with the least to do. */
  async function read(request: CodecRequest, signal: AbortSignal, timeoutMs: number) {
    const idlest = decoders.reduce((least, each) => (each.busy < least.busy ? each : least));
    idlest.busy++;
    try {
      return await idlest.worker.call(request, signal, timeoutMs);
    } finally {
      idlest.busy--;
    }
  }

  function containerOf(bytes: Uint8Array): AudioContainer {
    const container = sniffAudio(bytes);
    if (!container) throw unsupported("This kind of file", `audio as ${accepted}`);
    return container;
  }

  return {
    formats: ["opus"],
    async inspect(bytes, signal) {
      signal.throwIfAborted();
      const container = containerOf(bytes);
      const response = await read({ kind: "inspect", container, bytes }, signal, inspectTimeoutMs);
      if (response.kind === "unsupported") throw unsupported(`This kind of ${container}`, accepted);
      if (response.kind !== "info") throw corrupt();
      return { container, codec: response.codec, durationMs: response.durationMs };
    },
    async decode(bytes, { maxDurationMs, signal }) {
      signal.throwIfAborted();
      const container = containerOf(bytes);
      const request = { kind: "decode", container, bytes, maxDurationMs } as const;
      const response = await read(request, signal, decodeTimeoutMs(maxDurationMs));
      if (response.kind === "pcm") return response.audio;
      if (response.kind !== "unsupported") throw corrupt();
      if (!options.ffmpeg) {
        const got = `The codec ${response.codec ?? "of this file"} in ${container}`;
        throw unsupported(got, "webm/opus, ogg/opus or wav (or install ffmpeg on the server)");
      }
      const { program, runner } = options.ffmpeg;
      const reading = `-v error -nostdin -protocol_whitelist file,pipe -f ${demuxers[container]} -i`;
      const writing = `-vn -sn -dn -t ${maxDurationMs / 1000} -ac 1 -ar ${recognitionRateHz} -f s16le pipe:1`;
      const job = {
        argv: (path: (name: string) => string) => [
          program,
          ...reading.split(" "),
          path("recording"),
          ...writing.split(" "),
        ],
        files: new Map([["recording", bytes]]),
        maxOutputBytes: Math.ceil((maxDurationMs / 1000) * recognitionRateHz * 2) + 65_536,
        timeoutMs: decodeTimeoutMs(maxDurationMs),
      };
      const { stdout } = await runner.run(job, signal).catch((error: unknown) => {
        // It ran and did not like the file.
        throw error instanceof Problem && error.type === "speech_failed" ? corrupt() : error;
      });
      if (stdout.length < 2) throw corrupt();
      return { samples: bytesToSamples(stdout), sampleRateHz: recognitionRateHz };
    },
    async encode(audio, format, signal, maxBytes) {
      if (format !== "opus") throw new Problem("speech_failed", {});
      const response = await encoder.call({ kind: "encode", audio, maxBytes }, signal);
      if (response.kind !== "file") throw new Problem("speech_failed", {});
      return response.bytes;
    },
    async close() {
      await Promise.all(
        [encoder, ...decoders.map(({ worker }) => worker)].map((each) => each.close()),
      );
    },
  };
}
