import { callId, type FuzzStates } from "./fuzz-states.ts";
import { anything, fitting, hostile, mutated, text, type JsonSchema } from "./generate-values.ts";
import type { Random } from "./random.ts";
import { callers, type Belongings, type Caller } from "./stage.ts";

export interface Operation {
  readonly method: string;
  /** As in the document: `/sessions/{session_id}`. */
  readonly path: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema: JsonSchema;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema?: JsonSchema }>> };
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly description?: string;
        readonly content?: Readonly<Record<string, { schema?: object }>>;
      }
    >
  >;
}

export interface FuzzRequest {
  readonly operation: Operation;
  readonly caller: Caller;
  /** Whether it was meant to fit the document. */
  readonly isFitting: boolean;
  /** Whether the path was changed into another one, perhaps. */
  readonly isElsewhere: boolean;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer | null;
}

interface Sources {
  readonly random: Random;
  /** Of the owner's, newest last. */
  readonly belongings: readonly Belongings[];
  readonly recording: Uint8Array;
  readonly states: FuzzStates;
  /** A reply of the owner's that was stopped. */
  readonly cancelledId: string;
  /** The last `next_cursor` of each list, by its path. */
  readonly cursors: ReadonlyMap<string, string>;
}

const ofAdministrators = new Set(["/usage", "/feedback", "/sessions/cleanup"]);

/** Words that are in the messages, and what means something to a search. */
const searches = [
  "look",
  "recording says",
  '"the recording"',
  '"',
  '""',
  "lo",
  "look -recording",
  "look | says & !x",
  "a:* <-> b",
  "你",
  "你好",
  "%",
  "_",
  "\\",
  "'",
  "( ) : * & | !",
  "x".repeat(500),
  "a ".repeat(250),
  "é".normalize("NFD"),
];

/** A request for the operation: fitting, at its bounds, or broken in one or several places. */
export function generateRequest(operation: Operation, sources: Sources): FuzzRequest {
  const { random } = sources;
  const mine = random.pick(sources.belongings);
  const isFitting = random.chance(0.35);
  const breaks = (probability: number) => !isFitting && random.chance(probability);
  const usual = ofAdministrators.has(operation.path) && random.chance(0.5) ? "admin" : "owner";
  const caller = random.chance(0.85) ? usual : random.pick(callers);
  const { states } = sources;
  const ids = (name: string): string | undefined => {
    if (name === "message_id" && operation.path.endsWith("/continue")) {
      return random.pick(states.pausedIds);
    }
    if (name === "message_id" && operation.method === "PATCH") return random.pick(states.queuedIds);
    if (name === "id") return callId;
    if (/^session_ids?$/.test(name)) return mine.sessionId;
    if (name === "message_id")
      return random.pick([mine.replyId, mine.messageId, sources.cancelledId]);
    if (/^(before|after|around)$/.test(name)) return mine.messageId;
    if (/^(head|parent)_message_id$/.test(name)) return random.pick([mine.replyId, mine.messageId]);
    if (name === "last-event-id") return String(random.pick([0, 1, 2, 3, 2_147_483_647]));
    if (name === "q") {
      const search = random.pick(searches);
      return isFitting ? search.slice(0, 200) : search;
    }
    if (name === "prefer") return random.pick(["respond-async", "respond-async, wait=1", "wait=0"]);
    if (name === "share_id") return random.pick([mine.shareId, mine.bareShareId]);
    if (name === "audio_id") return mine.audioId;
    if (name === "attachment_id") return mine.attachmentId;
    if (name === "user_id") return "alice";
    if (name === "agent_id") return "general-chat";
    if (name === "cursor") {
      const cursor = sources.cursors.get(operation.path) ?? mine.cursor;
      return breaks(0.5) ? forged(cursor, random) : cursor;
    }
    return undefined;
  };

  const headers: Record<string, string | string[]> = {};
  const query: string[] = [];
  let path = operation.path;
  for (const parameter of operation.parameters ?? []) {
    const { name, schema } = parameter;
    const isNeeded = parameter.required === true;
    if (!isNeeded && !random.chance(0.4)) continue;
    const value = breaks(0.5) ? hostile(random) : fitting(schema, random, ids, name);
    const words = inWords(value);
    if (parameter.in === "path")
      path = path.replace(`{${name}}`, pathPart(words, breaks(0.2), random));
    else if (parameter.in === "header") headers[name] = headerText(words, isFitting);
    else if (Array.isArray(value) && isFitting) {
      query.push(...value.map((each) => `${name}=${encode(inWords(each))}`));
    } else query.push(`${name}=${encode(words)}`);
  }
  if (breaks(0.1))
    query.push(
      random.pick([
        "%",
        "=",
        "a[]=1",
        "limit=1&limit=2",
        "user_id=",
        "__proto__=1",
        "q=%00",
        "q=%ff",
      ]),
    );
  if (random.chance(0.2)) path = random.pick(["/api", "/api/v1"]) + path;
  const isElsewhere = breaks(0.05);
  if (isElsewhere) path += random.pick(["/", "//", "/..", "%2f", "/x", "%00", ";a=b", "%"]);
  if (query.length > 0) path += `?${query.join("&")}`;
  if (random.chance(0.1))
    headers["accept-language"] = random.pick(["zh-CN", "en", "*", "zh;q=x", ",,;"]);
  if (breaks(0.1)) headers["x-request-id"] = headerText(inWords(hostile(random)), false);
  if (breaks(0.1))
    headers["traceparent"] = random.pick([
      "00-0-0-0",
      "x",
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ]);
  if (breaks(0.1))
    headers["range"] = random.pick([
      "bytes=0-0",
      "bytes=-1",
      "bytes=9-1",
      "bytes=99999999-",
      "x",
      "bytes=0-1,3-4",
    ]);
  if (breaks(0.05))
    headers["authorization"] = random.pick(["Bearer x", "Basic eDp5", "Bearer ", "Bearer a.b.c"]);
  if (random.chance(0.05))
    headers["accept"] = random.pick([
      "text/html",
      "x",
      "*/*;q=0",
      "application/x-ndjson",
      "text/event-stream",
      "application/json",
    ]);
  if (breaks(0.05))
    headers["if-none-match"] = random.pick([
      "*",
      '"x"',
      'W/"x", "y"',
      '"',
      ",,",
      "x".repeat(2_000),
    ]);
  if (breaks(0.02)) headers["origin"] = random.pick(["http://evil.example", "null", "x", ""]);
  if (breaks(0.02))
    headers["sec-fetch-site"] = random.pick(["cross-site", "same-site", "none", "x"]);

  const body = bodyOf(operation, sources, ids, isFitting, headers);
  const method = breaks(0.03)
    ? random.pick(["PUT", "DELETE", "PATCH", "POST", "GET", "HEAD", "OPTIONS"])
    : operation.method;
  return { operation, caller, isFitting, isElsewhere, method, path, headers, body };
}

function bodyOf(
  operation: Operation,
  { random, recording, states }: Sources,
  ids: (name: string) => string | undefined,
  isFitting: boolean,
  headers: Record<string, string | string[]>,
): Buffer | null {
  const content = operation.requestBody?.content;
  if (content === undefined) {
    if (isFitting || !random.chance(0.05)) return null;
    headers["content-type"] = "application/json";
    return Buffer.from(random.pick(["{}", "{", "null", '"x"']));
  }
  const [type = "", { schema = {} } = {}] = Object.entries(content)[0] ?? [];
  let value = fitting(schema, random, ids);
  const breakings = isFitting ? 0 : random.pick([0, 1, 1, 1, 2, 3]);
  for (let count = 0; count < breakings; count += 1) value = mutated(value, random);
  const isForm = type === "multipart/form-data";
  if (operation.path === "/import") {
    let file = random.pick(states.files);
    for (let count = 0; count < breakings; count += 1) file = brokenFile(file, random);
    if (typeof value === "object" && value !== null && "file" in value) value.file = file;
    if (!isFitting && random.chance(0.3)) {
      headers["content-type"] = random.pick(["application/json", "application/jsonl", "x"]);
      return Buffer.from(file);
    }
  }
  if (isForm) {
    const boundary = "----fuzz";
    headers["content-type"] = `multipart/form-data; boundary=${boundary}`;
    const heard = recordingFields[operation.path] ?? "audio_file";
    return multipart(value, boundary, { name: heard, recording }, isFitting, random);
  }
  headers["content-type"] = "application/json";
  let json = JSON.stringify(value) ?? "";
  if (!isFitting && random.chance(0.08)) {
    headers["content-type"] = random.pick([
      "text/plain",
      "application/xml",
      "x",
      "application/json; charset=latin1",
      "multipart/form-data",
    ]);
  }
  if (!isFitting && random.chance(0.08)) {
    json = random.pick([
      () => json.slice(0, random.below(json.length + 1)),
      () => "",
      () => `${json}${json}`,
      () => json.replace("{", '{"__proto__":{"a":1},'),
      () => json.replace("{", '{"message":"first","message":"second",'),
      () => "[".repeat(20_000),
      () => `{"a":${"9".repeat(400)}}`,
      () => `{"metadata":{"a":1e999}}`,
      () => " ".repeat(1_200_000),
      () => "\ufeff{}",
    ])();
  }
  if (!isFitting && random.chance(0.02)) {
    headers["content-encoding"] = random.pick(["gzip", "br", "identity", "x"]);
  }
  const bytes = Buffer.from(json);
  if (!isFitting && bytes.length > 0 && random.chance(0.03))
    bytes[random.below(bytes.length)] = 0xff;
  return bytes;
}

/** Something in it is another; or it is cut off, or comes twice, as JSON Lines do. */
function brokenFile(file: string, random: Random): string {
  if (random.chance(0.2)) return file.slice(0, random.below(file.length + 1));
  if (random.chance(0.1)) return `${file}\n${file}`;
  try {
    return JSON.stringify(mutated(JSON.parse(file), random)) ?? "";
  } catch (error) {
    if (error instanceof SyntaxError) return `${file}x`;
    throw error;
  }
}

function multipart(
  value: unknown,
  boundary: string,
  /** The part that has the recording. */
  { name: heard, recording }: { readonly name: string; readonly recording: Uint8Array },
  isFitting: boolean,
  random: Random,
): Buffer {
  const chunks: (string | Uint8Array)[] = [];
  const fields = typeof value === "object" && value !== null ? Object.entries(value) : [];
  for (const [name, field] of fields) {
    const isFile = name === "audio_file" || name === "file";
    const quoted = name.replaceAll(/["\r\n]/g, "_");
    const file = isFile ? `; filename="${random.pick(["a.wav", "", "../x", "é.mp3"])}"` : "";
    // Such a part is read as a value.
    const asJson = !isFitting && random.chance(0.1) ? "\r\nContent-Type: application/json" : "";
    chunks.push(
      `--${boundary}\r\nContent-Disposition: form-data; name="${quoted}"${file}${asJson}\r\n\r\n`,
    );
    if (name !== heard)
      chunks.push(typeof field === "string" ? field : (JSON.stringify(field) ?? ""));
    else if (isFitting || random.chance(0.4)) chunks.push(recording);
    else
      chunks.push(
        random.pick([
          recording.subarray(0, random.below(recording.length)),
          "RIFF",
          "",
          "ID3",
          text(random, 300),
        ]),
      );
    chunks.push("\r\n");
  }
  if (isFitting || !random.chance(0.1)) chunks.push(`--${boundary}--\r\n`);
  return Buffer.concat(chunks.map((chunk) => Buffer.from(chunk as string)));
}

/** One that can be read, with something else in it; or one of another list, or none at all. */
function forged(cursor: string, random: Random): string {
  if (random.chance(0.2)) return inWords(hostile(random));
  const position = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8")) as object;
  const members = Object.entries(position).map(([name, value]) => {
    if (random.chance(0.5)) return [name, value];
    const near =
      typeof value === "number" ? value + random.pick([-1, 1, 0.5, 2 ** 31, -(2 ** 31)]) : value;
    return [name, random.pick([near, hostile(random), anything(random, 1)])];
  });
  return Buffer.from(JSON.stringify(Object.fromEntries(members))).toString("base64url");
}

function inWords(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** `encodeURIComponent` refuses half characters; they are sent as what encoders make of them. */
function encode(words: string): string {
  return encodeURIComponent(words.slice(0, 3_000).toWellFormed());
}

function pathPart(words: string, raw: boolean, random: Random): string {
  if (raw)
    return random.pick([
      "%00",
      "%ff",
      "%2e%2e",
      "a%2Fb",
      "%",
      "%zz",
      "*",
      ":id",
      "a;b",
      "x".repeat(400),
    ]);
  return encode(words.slice(0, 280)) || "x";
}

/** Headers are bytes without controls. */
function headerText(words: string, isFitting: boolean): string {
  const bytes = words.slice(0, 2_000).replaceAll(/[^\u0020-\u00fe]/g, isFitting ? "x" : "\u00e9");
  return isFitting ? bytes.replaceAll(/[^ -~]/g, "x").slice(0, 255) : bytes;
}

/** What forms call their recording. */
const recordingFields: Readonly<Record<string, string>> = {
  "/v1/audio/transcriptions": "file",
  "/copilotkit/transcribe": "audio",
};
