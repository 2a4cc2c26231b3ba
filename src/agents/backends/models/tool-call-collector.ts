import { randomUUID } from "node:crypto";
import { UpstreamError } from "../../upstream/upstream-error.ts";
import type { ModelToolCall } from "./chat-protocol.ts";
import { createKeptMembers, type KeptMembers } from "./kept-members.ts";
import { isFields } from "./message-parts.ts";

const maxCalls = 32;
const maxArgumentLength = 256 * 1024;

/** Puts the calls of tools together from their pieces. */
export interface ToolCallCollector {
  /** `tool_calls` of one delta. Raises an `UpstreamError` beyond 32 calls or 256 KiB. */
  add(pieces: readonly unknown[]): void;
  /** No two have the same id. */
  finish(): readonly ModelToolCall[];
}

interface Collected {
  readonly key: number | string | null;
  readonly id: string;
  readonly members: KeptMembers;
  readonly functionMembers: KeptMembers;
  name: string;
  argumentsText: string;
}

const ofCalls: ReadonlySet<string> = new Set(["index", "id", "type", "function"]);
const ofFunctions: ReadonlySet<string> = new Set(["name", "arguments"]);

/**
 * Servers differ: some number the calls, some only give them ids, some send each call whole and without either; some
 * repeat name and id in each piece, some give two calls the same; some send the arguments as an object.
 */
export function createToolCallCollector(): ToolCallCollector {
  const calls: Collected[] = [];
  let length = 0;

  /** The call that a piece belongs to; a new one where it begins one. */
  function find(index: unknown, id: string, name: string, text: string): Collected {
    const key = typeof index === "number" ? index : id === "" ? null : id;
    // Without number and id a piece goes on with the last call, unless it begins another.
    const known = key === null ? calls.at(-1) : calls.findLast((each) => each.key === key);
    if (known && !beginsAnother(known, id, name, text)) return known;
    if (calls.length >= maxCalls) throw new UpstreamError("too_large", "too many calls of tools");
    const added: Collected = {
      key,
      id,
      members: createKeptMembers(),
      functionMembers: createKeptMembers(),
      name: "",
      argumentsText: "",
    };
    calls.push(added);
    return added;
  }

  return {
    add(pieces) {
      for (const piece of pieces) {
        if (!isFields(piece)) continue;
        const called = isFields(piece["function"]) ? piece["function"] : {};
        const name = typeof called["name"] === "string" ? called["name"] : "";
        const id = typeof piece["id"] === "string" ? piece["id"] : "";
        const given = called["arguments"];
        const text = typeof given === "string" ? given : given ? JSON.stringify(given) : "";
        const call = find(piece["index"], id, name, text);
        if (call.name === "") call.name = name;
        length += text.length;
        if (length > maxArgumentLength) {
          throw new UpstreamError("too_large", "arguments of tools are too long");
        }
        call.argumentsText += text;
        call.members.add(piece, ofCalls);
        call.functionMembers.add(called, ofFunctions);
      }
    },
    finish() {
      const ids = new Set<string>();
      return calls
        .filter((call) => call.name !== "")
        .map(({ id, name, argumentsText, members, functionMembers }) => {
          const unique = id === "" || ids.has(id) ? `call_${randomUUID()}` : id;
          ids.add(unique);
          const [ofCall, ofFunction] = [members.all(), functionMembers.all()];
          return {
            id: unique,
            name,
            argumentsText,
            ...(ofCall && { members: ofCall }),
            ...(ofFunction && { functionMembers: ofFunction }),
          };
        });
    },
  };
}

function beginsAnother(known: Collected, id: string, name: string, text: string): boolean {
  // Some servers give all calls the number 0: another id is another call.
  if (id !== "" && known.id !== "" && known.id !== id) return true;
  if (name === "" || known.name === "") return false;
  if (name !== known.name) return true;
  // The same name again goes on with it, until its arguments are whole and others begin.
  return text.trim() !== "" && isWhole(known.argumentsText);
}

function isWhole(text: string): boolean {
  return parsedObject(text) !== null;
}

/** The JSON object in this text; null when it holds none. */
function parsedObject(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}

/** Arguments as a server will take them back: a JSON object in any case, whatever the model wrote. */
export function sendableArguments(text: string): string {
  if (text.trim() === "") return "{}";
  return parsedObject(text) === null ? JSON.stringify({ not_valid_json: text }) : text;
}
