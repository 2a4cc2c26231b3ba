import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { once } from "node:events";

/** What goes wrong, after `tokens` were sent. */
type Fault =
  /** Instead of an answer: this status. */
  | {
      readonly kind: "status";
      readonly status: number;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The request is taken and never answered. */
  | { readonly kind: "hang_before_headers" }
  /** Nothing more is sent; the connection stays open. */
  | { readonly kind: "hang" }
  /** The connection is closed. */
  | { readonly kind: "die" }
  /** Half an event, then the connection is closed. */
  | { readonly kind: "half_frame" }
  /** The answer ends properly, but without finish_reason and [DONE]. */
  | { readonly kind: "end_early" }
  /** An event with an error object, then the end without [DONE]. */
  | { readonly kind: "error_frame"; readonly error: unknown }
  /** An event that is no JSON, then the proper end. */
  | { readonly kind: "garbage"; readonly text?: string }
  /** Bytes that are no HTTP at all. */
  | { readonly kind: "no_http" }
  /** One line of this many bytes. */
  | { readonly kind: "huge_line"; readonly bytes: number }
  /** Comments every so often, for ever. */
  | { readonly kind: "comments"; readonly everyMs: number };

interface ScriptedToolCall {
  readonly id?: string;
  readonly name: string;
  /** As sent on the wire: an object is turned into JSON, a text is sent as it is, valid or not. */
  readonly arguments: unknown;
}

/** One answer of a scripted model. */
export interface Turn {
  readonly tokens?: readonly string[];
  readonly reasoning?: readonly string[];
  /** Servers differ in its name. */
  readonly reasoningField?: "reasoning_content" | "reasoning";
  readonly toolCalls?: readonly ScriptedToolCall[];
  /** Default: `tool_calls` when there are any, else `stop`; null: none is sent. */
  readonly finishReason?: string | null;
  /** Default: counted in tokens sent; null: none. */
  readonly usage?: Readonly<Record<string, number>> | null;
  /** Default true. */
  readonly done?: boolean;
  /** Awaited before each token, so that a test can steer the pace by its own events. */
  readonly pace?: (index: number) => void | Promise<void>;
  /** Between tokens. */
  readonly delayMs?: number;
  /** Writes the answer in pieces of so many bytes, so that characters and lines are cut. */
  readonly fragmentBytes?: number;
  /** The connection stays open after the last event until this settles. */
  readonly holdOpen?: Promise<void>;
  readonly fault?: Fault;
}

/** A request that a scripted server has received. */
export interface RecordedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Parsed JSON. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly receivedAtMs: number;
  /** Of the connection: the same for requests that shared one. */
  readonly remotePort: number | undefined;
  /** Settles when the exchange is over: answered to the end, or closed by the client before. */
  readonly closed: Promise<"finished" | "aborted">;
}

/** Requests in order, and a way to wait for them. */
export interface RequestLog {
  readonly requests: readonly RecordedRequest[];
  /** Waits until request number `index` (0 is the first) was received. */
  request(index: number): Promise<RecordedRequest>;
}

export function createRequestLog(): RequestLog & { add(request: RecordedRequest): void } {
  const requests: RecordedRequest[] = [];
  const waiting: { index: number; resolve: (request: RecordedRequest) => void }[] = [];
  return {
    requests,
    add(request) {
      requests.push(request);
      for (const each of waiting) if (each.index === requests.length - 1) each.resolve(request);
    },
    request(index) {
      const known = requests[index];
      if (known) return Promise.resolve(known);
      return new Promise((resolve) => waiting.push({ index, resolve }));
    },
  };
}

/** How the turn is written in the dialect of one server. */
export interface TurnDialect {
  readonly model: string;
  readonly contentType: string;
  /** Whether a last event with usage is sent. */
  readonly includeUsage: boolean;
  /** Other members of each event. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** Settles when the client has gone. */
function gone(response: ServerResponse): Promise<void> {
  if (response.destroyed || response.writableFinished) return Promise.resolve();
  return new Promise((resolve) => response.once("close", () => resolve()));
}

/** Plays the faults that leave no room for an answer; false when there is none such. */
export async function playEarlyFault(turn: Turn, response: ServerResponse): Promise<boolean> {
  const { fault } = turn;
  if (fault?.kind === "status") {
    response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
    response.end(
      typeof fault.body === "string" ? fault.body : JSON.stringify(fault.body ?? { error: {} }),
    );
    return true;
  }
  if (fault?.kind === "hang_before_headers") {
    await gone(response);
    return true;
  }
  if (fault?.kind === "no_http") {
    response.socket?.end("\u0000\u0001 this is no HTTP \r\n\r\n");
    return true;
  }
  return false;
}

/** Streams a turn as `chat.completion.chunk` events. */
export async function streamTurn(
  turn: Turn,
  response: ServerResponse,
  dialect: TurnDialect,
): Promise<void> {
  const left = gone(response);
  response.writeHead(200, { "content-type": dialect.contentType, "cache-control": "no-cache" });
  response.flushHeaders();

  async function write(text: string): Promise<void> {
    if (response.destroyed) return;
    const bytes = Buffer.from(text);
    const size = turn.fragmentBytes ?? bytes.length;
    for (let start = 0; start < bytes.length; start += size) {
      if (!response.write(bytes.subarray(start, start + size))) {
        await Promise.race([once(response, "drain"), left]);
      }
      // Lets each piece become a packet of its own.
      if (turn.fragmentBytes) await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const chunk = (choices: readonly unknown[], members: object = {}) =>
    write(
      `data: ${JSON.stringify({
        id: "chatcmpl-1",
        object: "chat.completion.chunk",
        created: 1_790_000_000,
        model: dialect.model,
        ...dialect.extra,
        choices,
        ...members,
      })}\n\n`,
    );
  const delta = (delta: object, finishReason: string | null = null) =>
    chunk([{ index: 0, delta, finish_reason: finishReason }]);

  for (const text of turn.reasoning ?? []) {
    await delta({ [turn.reasoningField ?? "reasoning_content"]: text });
  }
  for (const [index, content] of (turn.tokens ?? []).entries()) {
    if (turn.delayMs && index > 0) {
      await Promise.race([new Promise((resolve) => setTimeout(resolve, turn.delayMs)), left]);
    }
    if (turn.pace) await Promise.race([turn.pace(index), left]);
    if (response.destroyed) return;
    await delta(index === 0 ? { role: "assistant", content } : { content });
  }
  if (turn.fault) {
    await playLateFault(turn.fault, response, write, left);
    return;
  }
  for (const [index, call] of (turn.toolCalls ?? []).entries()) {
    const text = argumentText(call);
    const half = Math.ceil(text.length / 2);
    const id = call.id ?? `call_${index + 1}`;
    // As real servers do: the name first, then the arguments in pieces.
    await delta({
      tool_calls: [{ index, id, type: "function", function: { name: call.name, arguments: "" } }],
    });
    for (const piece of [text.slice(0, half), text.slice(half)]) {
      await delta({ tool_calls: [{ index, function: { arguments: piece } }] });
    }
  }
  const reason = finishReason(turn);
  if (reason !== null) await delta({}, reason);
  const usage = usageOf(turn);
  if (dialect.includeUsage && usage) await chunk([], { usage });
  if (turn.done !== false) await write("data: [DONE]\n\n");
  if (turn.holdOpen) await Promise.race([turn.holdOpen, left]);
  response.end();
}

async function playLateFault(
  fault: Fault,
  response: ServerResponse,
  write: (text: string) => Promise<void>,
  left: Promise<void>,
): Promise<void> {
  switch (fault.kind) {
    case "hang":
      await left;
      return;
    case "die":
      await breakOff(response);
      return;
    case "half_frame":
      await write('data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"del');
      await breakOff(response);
      return;
    case "end_early":
      response.end();
      return;
    case "error_frame":
      await write(`data: ${JSON.stringify({ error: fault.error })}\n\n`);
      response.end();
      return;
    case "garbage":
      await write(`data: <html>${fault.text ?? "this is no JSON"}</html>\n\n`);
      response.end();
      return;
    case "huge_line": {
      await write('data: {"choices":[{"index":0,"delta":{"content":"');
      const block = "x".repeat(65_536);
      for (let sent = 0; sent < fault.bytes && !response.destroyed; sent += block.length) {
        await write(block);
      }
      await write('"}}]}\n\n');
      response.end();
      return;
    }
    case "comments": {
      const timer = setInterval(() => response.write(": still here\n\n"), fault.everyMs);
      await left;
      clearInterval(timer);
      return;
    }
    case "status":
    case "hang_before_headers":
    case "no_http":
      throw new Error(`${fault.kind} is played before the answer`);
  }
}

/**
 * Closes the connection in the middle of the answer, after what was written has left. No reset: that would take back
 * from the client what it has not read yet.
 */
async function breakOff(response: ServerResponse): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  response.socket?.destroy();
}

/** Answers with the whole turn as one `chat.completion`. */
export function answerTurn(turn: Turn, response: ServerResponse, dialect: TurnDialect): void {
  const toolCalls = turn.toolCalls?.map((call, index) => ({
    id: call.id ?? `call_${index + 1}`,
    type: "function",
    function: { name: call.name, arguments: argumentText(call) },
  }));
  const message = {
    role: "assistant",
    content: (turn.tokens ?? []).join(""),
    ...(toolCalls ? { tool_calls: toolCalls } : {}),
  };
  response.writeHead(200, { "content-type": "application/json" });
  response.end(
    JSON.stringify({
      id: "chatcmpl-1",
      object: "chat.completion",
      created: 1_790_000_000,
      model: dialect.model,
      ...dialect.extra,
      choices: [{ index: 0, message, finish_reason: finishReason(turn) ?? "stop" }],
      usage: usageOf(turn),
    }),
  );
}

function argumentText(call: ScriptedToolCall): string {
  return typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments);
}

function finishReason(turn: Turn): string | null {
  if (turn.finishReason !== undefined) return turn.finishReason;
  return turn.toolCalls?.length ? "tool_calls" : "stop";
}

function usageOf(turn: Turn): Readonly<Record<string, number>> | null {
  if (turn.usage !== undefined) return turn.usage;
  const completion = (turn.tokens?.length ?? 0) + (turn.reasoning?.length ?? 0);
  return { prompt_tokens: 10, completion_tokens: completion, total_tokens: 10 + completion };
}
