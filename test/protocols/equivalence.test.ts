import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openView } from "../../src/protocols/view.ts";
import type { LoggedEvent } from "../../src/replies/log/reply-log.ts";
import { eachPage, pagesOf } from "../../src/replies/reading/pages.ts";
import type { ShownEvent } from "../../src/replies/reading/sse.ts";
import { scripts } from "../support/acted-scripts.ts";
import { startActedService, type ActedService } from "../support/acted-service.ts";
import type { SeenEvent } from "../support/reply-stream.ts";
import { protocolViews } from "./protocol-views.ts";
import type { Outcome, ProtocolView, Recorded, Tool } from "./views/protocol-view.ts";

interface Log extends Recorded {
  readonly events: readonly SeenEvent[];
}

let acted: ActedService;
const logs = new Map<string, Log>();
beforeAll(async () => {
  acted = await startActedService(scripts);
  for (const name of Object.keys(scripts)) logs.set(name, await record(name));
});
afterAll(() => acted.close());

/** Has a reply made, and keeps what its log says. */
async function record(message: string): Promise<Log> {
  const stream = await acted.native.stream({ user_id: "recorder", agent_id: "actor", message });
  const { session_id: sessionId, message_id: messageId } = await stream.next(() => true);
  if (message === "waits") {
    await stream.next(({ type }) => type === "assistant_chunk");
    await acted.native.send("POST", `/chat/message/${String(messageId)}/cancel`, {});
  }
  const events = await stream.all();
  const { body } = await acted.native.get<{ tool_calls?: Recorded["storedCalls"] }>(
    `/chat/message/${String(messageId)}`,
  );
  return {
    messageId: String(messageId),
    sessionId: String(sessionId),
    storedCalls: body.tool_calls ?? [],
    events,
  };
}

/** As the native stream tells it. */
function told({ events }: Log): Outcome {
  const last = events.at(-1) ?? { id: 0, type: "" };
  const tools = new Map<string, Tool>();
  for (const { type, tool_call_id: id, name, status, ...more } of events) {
    if (type !== "tool_call") continue;
    const before = tools.get(String(id));
    const given = more["arguments"];
    tools.set(String(id), {
      name: String(name),
      arguments: before?.arguments ?? (given === undefined ? "{}" : JSON.stringify(given)),
      result: textOf(more["result"]),
      isFailed: status === "failed",
    });
  }
  const usage = last["usage"] as { input_tokens: number; output_tokens: number } | undefined;
  const requirements = (last["requirements"] ?? []) as { tool: string; kind: string }[];
  const chunks = (type: string) =>
    events.map((event) => (event.type === type ? String(event["chunk"]) : "")).join("");
  return {
    text: (last["full_response"] as string | undefined) ?? chunks("assistant_chunk"),
    reasoning: chunks("reasoning_chunk"),
    tools: [...tools.values()],
    usage: usage ? { input: usage.input_tokens, output: usage.output_tokens } : null,
    end:
      last.type === "conversation_complete"
        ? last["finish_reason"] === "length"
          ? "length"
          : "complete"
        : last.type === "error"
          ? "failed"
          : (last.type as "cancelled" | "paused"),
    waitsFor: requirements.map(({ tool, kind }) => ({ tool, isToConfirm: kind === "confirm" })),
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
}

async function* followed(events: readonly SeenEvent[]): AsyncGenerator<readonly LoggedEvent[]> {
  for (const { id: seq, ...event } of events) {
    yield [{ seq, type: event.type as never, json: JSON.stringify(event) }];
  }
}

async function shown(
  { projection }: ProtocolView,
  log: Log,
  events: readonly SeenEvent[],
  after?: number,
): Promise<readonly ShownEvent[]> {
  const all: ShownEvent[] = [];
  const { signal } = new AbortController();
  const open = openView(
    pagesOf(() => followed(events)),
    projection(log),
    after,
  );
  for await (const page of eachPage(open, signal)) all.push(...(page ?? []));
  return all;
}

function sent(events: readonly ShownEvent[]) {
  return events.map(({ event, json }) => ({
    ...(event !== undefined && { event }),
    data: JSON.parse(json) as Record<string, unknown>,
  }));
}

/** The log up to an event in one piece, as its readers have it when the rest of it is gone. */
function trimmed({ events, messageId, sessionId }: Log, upTo: number): readonly SeenEvent[] {
  const gone = events.slice(0, upTo);
  const chunks = (type: string) =>
    gone.map((event) => (event.type === type ? String(event["chunk"]) : "")).join("");
  const snapshot = {
    type: "snapshot",
    session_id: sessionId,
    message_id: messageId,
    timestamp: new Date(0).toISOString(),
    content: chunks("assistant_chunk"),
    reasoning: chunks("reasoning_chunk"),
  };
  return [{ id: gone.at(-1)?.id ?? 0, ...snapshot }, ...events.slice(upTo)];
}

const logOf = (name: string) => {
  const log = logs.get(name);
  if (log === undefined) throw new Error(`nothing was recorded of ${name}`);
  return log;
};

describe.each(protocolViews.map((each) => [each.name, each] as const))("%s", (name, protocol) => {
  const names = Object.keys(scripts);

  // What an agent takes back, this protocol cannot.
  const kept = names.filter((script) => name !== "completions" || script !== "replaced");
  it.each(kept)("tells of '%s' what the native stream tells", async (script) => {
    const log = logOf(script);
    const native = told(log);
    const outcome = protocol.read(sent(await shown(protocol, log, log.events)));
    expect(outcome).toEqual({ ...native, ...protocol.differs?.(native) });
  });

  it.each(names)("of '%s', cut behind each event and resumed, is as uncut", async (script) => {
    const log = logOf(script);
    const uncut = await shown(protocol, log, log.events);
    const numbers = uncut.map(({ seq }) => seq);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    for (const [index, { seq }] of uncut.entries()) {
      expect(await shown(protocol, log, log.events, seq)).toEqual(uncut.slice(index + 1));
    }
  });

  it.each(names.filter((script) => script !== "replaced"))(
    "comes to the same of '%s' when the beginning of its log is gone",
    async (script) => {
      const log = logOf(script);
      const { end: _, ...whole } = protocol.read(sent(await shown(protocol, log, log.events)));
      for (const upTo of log.events.slice(0, -1).keys()) {
        const rest = await shown(protocol, log, trimmed(log, upTo + 1));
        // Of tools at work the log alone knows the order among texts; those that are over are in the row.
        const { end: __, ...outcome } = protocol.read(sent(rest));
        expect(outcome).toMatchObject({ ...whole, tools: expect.any(Array) });
      }
    },
  );

  const { faultsOf } = protocol;
  it.runIf(faultsOf !== null)("keeps to the protocol's own schemas in every event", async () => {
    for (const script of names) {
      const log = logOf(script);
      for (const each of sent(await shown(protocol, log, log.events))) {
        expect(faultsOf?.(each)).toBe("");
      }
    }
  });
});
