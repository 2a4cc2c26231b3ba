import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createFliteTextToSpeech } from "../../src/voice/providers/flite/text-to-speech.ts";
import { collect } from "../../src/voice/byte-stream.ts";
import { readWav, samplesToBytes, wavDurationMs, readWavLayout } from "../../src/voice/wav.ts";
import { silentLogger } from "../../src/telemetry/logger.ts";
import { chineseGrammar, convert, recognize, speakChinese } from "./speech-programs.ts";

/** Ways in which real servers differ from the contract, each switched on by itself. */
export interface Deviations {
  /** Transcriptions come as server-sent events, although nobody asked: OpenAI's dialect, or vLLM's. */
  transcriptEvents?: "transcript" | "chunks";
  /** Speech comes as server-sent events, although nobody asked; `cut` never sends the last one. */
  speechEvents?: "whole" | "cut";
  /** vLLM: `duration` is a string. */
  durationAsString?: boolean;
  /** SenseVoice: language and mood stand in the text. */
  tags?: boolean;
  /** The status with which `verbose_json` is refused. */
  refuseVerbose?: 400 | 422;
  /** A transcript that is plain text, or a bare JSON string. */
  transcriptAs?: "text" | "string";
  /** Whisper on silence: a segment that it invented comes behind the real one. */
  invents?: boolean;
  /** Bare samples at this rate, told in the media type, in a header, or not at all. */
  pcm?: { rateHz: number; told: "type" | "header" | "no" };
  /** A WAV file whose header tells a wrong length, as streaming servers and espeak-ng write it. */
  wavLength?: number;
  /** The format is this one, whatever was asked for. */
  onlyFormat?: "wav" | "mp3";
  /** SiliconFlow: a voice must be `model:name`; its errors look different too. */
  qualifiedVoices?: boolean;
  /** Errors are a bare JSON string. */
  bareErrors?: boolean;
  voices?: "strings" | "objects" | "list" | "none";
  /** Refuses the first so many requests with this status. */
  refuse?: { times: number; status: number; retryAfter?: string };
  /** Answers nothing at all; or headers, but no body. */
  silent?: "headers" | "body";
  /** The connection breaks before the first byte of the body, or in the midst of it. */
  cut?: "before" | "within";
  /** 200 with something that is no answer. */
  nonsense?: "html" | "empty" | "json";
}

export interface SpeechRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Name and media type of the uploaded file. */
  readonly file: { readonly name: string; readonly type: string } | null;
}

export interface SpeechTestServer {
  /** Base URL, with `/v1`. */
  readonly url: string;
  readonly requests: readonly SpeechRequest[];
  /** Switches these on and everything else off. */
  deviate(deviations: Deviations): void;
  /** Resolves when the next request has come. */
  received(): Promise<void>;
  /** Resolves once no request is being answered any more, by whatever end. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

const mediaTypes: Record<string, string> = {
  wav: "audio/wav",
  mp3: "audio/mpeg",
  opus: "audio/ogg",
  aac: "audio/aac",
  flac: "audio/flac",
};

/**
 * A server that speaks the OpenAI-compatible audio contract with real engines behind it: flite and espeak-ng speak,
 * pocketsphinx hears (English; the phrases of `fixtures/speech` in Chinese).
 */
export async function startSpeechServer(): Promise<SpeechTestServer> {
  const flite = createFliteTextToSpeech({ logger: silentLogger });
  const requests: SpeechRequest[] = [];
  const running = new Set<Promise<void>>();
  let deviations: Deviations = {};
  let refused = 0;

  async function speakEnglish(text: string, speed: number): Promise<Uint8Array> {
    const signal = AbortSignal.timeout(30_000);
    const options = { language: "en", format: "wav", speed, signal } as const;
    const speech = await flite.synthesize(text, options);
    return (await collect(speech.bytes, 64 * 1024 * 1024))!;
  }

  async function transcribe(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = await new Response(await readBody(request), {
      headers: { "content-type": request.headers["content-type"] ?? "" },
    }).formData();
    const file = form.get("file");
    const fields = Object.fromEntries([...form].filter(([, value]) => typeof value === "string"));
    const upload = file instanceof File ? file : null;
    note(request, fields, upload && { name: upload.name, type: upload.type });
    if (!upload) return fail(response, 400, "file is required");
    // As real servers do, the demuxer is chosen by the name alone.
    if (!/\.(flac|mp3|mp4|m4a|mpeg|mpga|ogg|oga|wav|webm)$/.test(upload.name)) {
      return fail(response, 415, "unknown file extension");
    }
    const format = String(fields["response_format"] ?? "json");
    if (format === "verbose_json" && deviations.refuseVerbose) {
      return fail(response, deviations.refuseVerbose, "response_format must be json");
    }
    const sound = await convert(new Uint8Array(await upload.arrayBuffer()), "wav");
    const isChinese = fields["language"] === "zh";
    const heard = await recognize(sound, isChinese ? chineseGrammar : []);
    const seconds = wavDurationMs(readWavLayout(sound)!) / 1000;
    const language = isChinese ? "zh" : "en";
    const text = deviations.tags ? `<|${language}|><|NEUTRAL|><|Speech|><|woitn|>${heard}` : heard;
    if (deviations.transcriptEvents) return transcriptEvents(response, text);
    if (deviations.transcriptAs === "text" || format === "text") {
      return send(response, "text/plain; charset=utf-8", `${text}\n`);
    }
    if (deviations.transcriptAs === "string") return json(response, 200, text);
    if (format === "json") return json(response, 200, { text });
    const real = { id: 0, start: 0, end: seconds, text, no_speech_prob: 0.01, avg_logprob: -0.2 };
    const invented = {
      ...real,
      id: 1,
      text: " Thank you.",
      no_speech_prob: 0.9,
      avg_logprob: -1.5,
    };
    return json(response, 200, {
      task: "transcribe",
      language: isChinese ? "chinese" : "english",
      duration: deviations.durationAsString ? String(seconds) : seconds,
      text: deviations.invents ? `${text} Thank you.` : text,
      segments: deviations.invents ? [real, invented] : [real],
    });
  }

  function transcriptEvents(response: ServerResponse, text: string): void {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const event = (value: unknown) => response.write(`data: ${JSON.stringify(value)}\n\n`);
    const words = text.split(/(?<= )/);
    if (deviations.transcriptEvents === "chunks") {
      for (const content of words) {
        event({ object: "transcription.chunk", choices: [{ index: 0, delta: { content } }] });
      }
      response.end("data: [DONE]\n\n");
      return;
    }
    for (const delta of words) event({ type: "transcript.text.delta", delta });
    event({ type: "transcript.text.done", text });
    response.end();
  }

  async function speak(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const fields = JSON.parse((await readBody(request)).toString("utf8")) as Record<
      string,
      unknown
    >;
    note(request, fields, null);
    const { input, voice, speed = 1, response_format: asked = "mp3" } = fields;
    if (typeof input !== "string" || input === "" || input.length > 4_096) {
      return fail(response, 400, "input must have 1 to 4096 characters");
    }
    if (typeof voice !== "string") return fail(response, 400, "voice is required");
    if (deviations.qualifiedVoices && !voice.startsWith(`${String(fields["model"])}:`)) {
      return fail(response, 400, "voice must be model:name");
    }
    if (deviations.nonsense === "empty") return send(response, "audio/wav", "");
    const wav = /\p{Script=Han}/u.test(input)
      ? await speakChinese(input)
      : await speakEnglish(input, Number(speed));
    if (deviations.cut === "before") {
      response.writeHead(200, { "content-type": "audio/wav" });
      response.flushHeaders();
      response.destroy();
      return;
    }
    const format = deviations.onlyFormat ?? String(asked);
    if (format === "pcm" || deviations.pcm) return sendPcm(response, wav);
    const sound = format === "wav" ? relabelled(wav) : await encoded(wav, format);
    if (deviations.speechEvents) return speechEvents(response, sound);
    response.writeHead(200, { "content-type": mediaTypes[format] ?? "application/octet-stream" });
    for (let at = 0; at < sound.length; at += 8_192) {
      if (deviations.cut === "within" && at > sound.length / 2) {
        response.destroy();
        return;
      }
      response.write(sound.subarray(at, at + 8_192));
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  }

  function encoded(wav: Uint8Array, format: string): Promise<Buffer> {
    return format === "opus" ? convert(wav, "ogg", ["-c:a", "libopus"]) : convert(wav, format);
  }

  function relabelled(wav: Uint8Array): Uint8Array {
    if (deviations.wavLength === undefined) return wav;
    const file = Uint8Array.from(wav);
    const { dataOffset } = readWavLayout(file)!;
    new DataView(file.buffer).setUint32(dataOffset - 4, deviations.wavLength, true);
    return file;
  }

  async function sendPcm(response: ServerResponse, wav: Uint8Array): Promise<void> {
    const { rateHz, told } = deviations.pcm ?? { rateHz: 24_000, told: "no" };
    const samples = readWav(await convert(wav, "wav", ["-ar", String(rateHz), "-ac", "1"]))!;
    response.writeHead(200, {
      "content-type": told === "type" ? `audio/pcm;rate=${rateHz}` : "audio/pcm",
      ...(told === "header" ? { "x-sample-rate": String(rateHz) } : {}),
    });
    response.end(samplesToBytes(samples.samples));
  }

  function speechEvents(response: ServerResponse, sound: Uint8Array): void {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    for (let at = 0; at < sound.length; at += 6_000) {
      const audio = Buffer.from(sound.subarray(at, at + 6_000)).toString("base64");
      response.write(`data: ${JSON.stringify({ type: "speech.audio.delta", audio })}\n\n`);
    }
    if (deviations.speechEvents === "whole") {
      response.write(`data: ${JSON.stringify({ type: "speech.audio.done", usage: {} })}\n\n`);
    }
    response.end();
  }

  function listVoices(response: ServerResponse): void {
    const named = [
      { id: "rms", name: "Robert" },
      { id: "slt", name: "Sally", language: "en-US" },
    ];
    switch (deviations.voices ?? "none") {
      case "strings":
        return json(response, 200, { voices: ["rms", "slt"] });
      case "objects":
        return json(response, 200, { voices: named });
      case "list":
        return json(response, 200, { object: "list", data: named });
      default:
        return fail(response, 404, "not found");
    }
  }

  function fail(response: ServerResponse, status: number, message: string): void {
    if (deviations.bareErrors) return json(response, status, message);
    if (deviations.qualifiedVoices)
      return json(response, status, { code: 20012, message, data: null });
    json(response, status, {
      error: { message, type: "invalid_request_error", param: null, code: null },
    });
  }

  function note(request: IncomingMessage, fields: object, file: SpeechRequest["file"]): void {
    const { authorization } = request.headers;
    requests.push({ path: request.url ?? "", authorization, fields: { ...fields }, file });
  }

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    const isWork = request.method === "POST";
    if (isWork && deviations.refuse && refused < deviations.refuse.times) {
      refused++;
      await readBody(request);
      const { status, retryAfter } = deviations.refuse;
      if (retryAfter !== undefined) response.setHeader("retry-after", retryAfter);
      return fail(response, status, "not now");
    }
    if (isWork && deviations.silent) {
      if (deviations.silent === "body") {
        response.writeHead(200, { "content-type": "audio/wav" });
        response.flushHeaders();
      }
      await new Promise((resolve) => response.once("close", resolve));
      return;
    }
    if (isWork && deviations.nonsense === "html") {
      return send(response, "text/html", "<html><body>Bad gateway</body></html>".repeat(10));
    }
    if (isWork && deviations.nonsense === "json") return json(response, 200, { status: "ok" });
    if (path === "/v1/audio/transcriptions" && isWork) return transcribe(request, response);
    if (path === "/v1/audio/speech" && isWork) return speak(request, response);
    if (path === "/v1/audio/voices") return listVoices(response);
    if (path === "/v1/models") return json(response, 200, { object: "list", data: [] });
    fail(response, 404, "not found");
  }

  const server = createServer((request, response) => {
    const work = route(request, response)
      .catch((error: unknown) => {
        if (!response.headersSent) fail(response, 500, String(error));
        else response.destroy();
      })
      .finally(() => running.delete(work));
    running.add(work);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests,
    deviate(next) {
      deviations = next;
      refused = 0;
    },
    received: () => new Promise((resolve) => server.once("request", () => resolve())),
    async settled() {
      while (running.size > 0) await Promise.all(running);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await flite.close();
    },
  };
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { "content-type": type });
  response.end(body);
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
