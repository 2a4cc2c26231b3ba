import { randomUUID } from "node:crypto";
import { UpstreamError } from "../../upstream/upstream-error.ts";
import type { ModelToolCall } from "./chat-protocol.ts";

const maxCalls = 32;
const maxArgumentLength = 256 * 1024;

/** Puts the calls of tools together from their pieces. */
export interface ToolCallCollector {
  /** `tool_calls` of one delta. Raises an `UpstreamError` beyond 32 calls or 256 KiB. */
  add(pieces: readonly unknown[]): void;
  finish(): readonly ModelToolCall[];
}

interface Collected {
  readonly key: number | string | null;
  readonly id: string;
  name: string;
  argumentsText: string;
}

/**
 * Servers differ: some number the calls, some only give them ids, some send each call whole and without either; some
 * repeat the name in each piece; some send the arguments as an object.
 */
export function createToolCallCollector(): ToolCallCollector {
  const calls: Collected[] = [];
  let length = 0;

  /** The call that a piece belongs to; a new one where it begins one. */
  function find(index: unknown, id: string, named: boolean): Collected {
    const key = typeof index === "number" ? index : id === "" ? null : id;
    // Without number and id, a name begins a call and anything else goes on with the last one.
    const known =
      key === null
        ? named
          ? undefined
          : calls.at(-1)
        : calls.findLast((each) => each.key === key);
    // Some servers give all calls the number 0: another id is another call.
    if (known && (id === "" || known.id === "" || known.id === id)) return known;
    if (calls.length >= maxCalls) throw new UpstreamError("too_large", "too many calls of tools");
    const added: Collected = { key, id, name: "", argumentsText: "" };
    calls.push(added);
    return added;
  }

  return {
    add(pieces) {
      for (const piece of pieces) {
        if (typeof piece !== "object" || piece === null) continue;
        const fields = piece as Readonly<Record<string, unknown>>;
        const called = (fields["function"] ?? {}) as Readonly<Record<string, unknown>>;
        const name = called["name"];
        const named = typeof name === "string" && name !== "";
        const id = typeof fields["id"] === "string" ? fields["id"] : "";
        const call = find(fields["index"], id, named);
        if (named && call.name === "") call.name = name;
        const given = called["arguments"];
        const text = typeof given === "string" ? given : given ? JSON.stringify(given) : "";
        length += text.length;
        if (length > maxArgumentLength) {
          throw new UpstreamError("too_large", "arguments of tools are too long");
        }
        call.argumentsText += text;
      }
    },
    finish: () =>
      calls
        .filter((call) => call.name !== "")
        .map(({ id, name, argumentsText }) => ({
          id: id === "" ? `call_${randomUUID()}` : id,
          name,
          argumentsText,
        })),
  };
}
