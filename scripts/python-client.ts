import { join } from "node:path";
import {
  others,
  prefix,
  problemsOf,
  typeName,
  type ApiDocument,
  type Schema,
} from "./client-types.ts";

export const pythonSource = join(import.meta.dirname, "../clients/python/src/chat_service");

/** The files of clients/python that stand twice, with and without `await`. */
export const awaiting: readonly string[] = [
  "account",
  "client",
  "messages",
  "reply",
  "sessions",
  "talk",
  "transport",
  "voice",
].map((name) => `${name}.py`);

/**
 * What callers name one by one: members of a body, or of a query, none of which is required. Left out is what has a place of
 * its own, and `user_id`, which goes with any call.
 */
const named: Readonly<
  Record<string, readonly [operation: string, part: "body" | "query", ...without: string[]]>
> = {
  NewSession: ["POST /chat/session", "body"],
  SessionChanges: ["PATCH /sessions/{session_id}", "body"],
  SessionFilter: ["GET /sessions", "query"],
  NewShare: ["POST /sessions/{session_id}/share", "body"],
  ExportChoice: ["GET /sessions/{session_id}/export", "query"],
  NewMessage: ["POST /chat/message/stream", "body", "message", "attachments", "stream"],
  Edit: ["POST /chat/message/{message_id}/edit", "body", "message", "attachments", "stream"],
  Again: ["POST /chat/message/{message_id}/regenerate", "body"],
  Amendment: ["PATCH /chat/message/{message_id}", "body", "attachments"],
  Feedback: ["PUT /chat/message/{message_id}/feedback", "body", "rating"],
  SearchChoice: ["GET /chat/search", "query", "q"],
  HistoryChoice: ["GET /chat/history/{session_id}", "query"],
  Recording: ["POST /chat/voice", "body", "audio_file", "stream"],
  Transcription: ["POST /chat/voice/transcribe", "body", "audio_file"],
  Speech: ["POST /chat/voice/synthesize", "body", "text"],
  MemoryChoice: ["GET /chat/memories", "query"],
  UsageChoice: ["GET /usage", "query"],
};

/** The types of clients/python, from the OpenAPI document. */
export function describePythonTypes(document: ApiDocument): string {
  const hoisted = new Map<string, string>();
  const classes: string[] = [];
  const declared = new Set<string>();
  const events: string[] = [];

  const declareClass = (name: string, members: readonly string[], description?: string) => {
    const lines = [...docstring(description), ...members];
    classes.push(
      `class ${name}(TypedDict):\n${(lines.length > 0 ? lines : ["..."]).map(indent).join("\n")}\n`,
    );
  };

  /** As Python; an object within another gets a name that says where it was met first. */
  const typeOf = (schema: Schema, at: string): string => {
    if (schema.$ref !== undefined) return reference(schema.$ref.slice(prefix.length));
    if (schema.const !== undefined) return literal([schema.const]);
    if (schema.enum !== undefined) return literal(schema.enum);
    if (schema.anyOf !== undefined) {
      const types = schema.anyOf.map((each, index) =>
        typeOf(each, index === 0 ? at : `${at}${index + 1}`),
      );
      return [...new Set(types)].join(" | ");
    }
    switch (schema.type) {
      case "string":
        return "str";
      case "integer":
        return "int";
      case "number":
        return "float";
      case "boolean":
        return "bool";
      case "null":
        return "None";
      case "array":
        return `Sequence[${schema.items === undefined ? "Any" : typeOf(schema.items, `${at}Item`)}]`;
      case "object":
        return objectType(schema, at);
      default:
        return "Any";
    }
  };

  const objectType = (schema: Schema, at: string): string => {
    const { properties = {}, additionalProperties } = schema;
    if (Object.keys(properties).length === 0) {
      const value =
        typeof additionalProperties === "object"
          ? typeOf(additionalProperties, `${at}Value`)
          : "Any";
      return `Mapping[str, ${value}]`;
    }
    const shape = JSON.stringify({ ...schema, description: undefined });
    const known = hoisted.get(shape);
    if (known !== undefined) return known;
    if (declared.has(at)) throw new Error(`Two types want to be called ${at}`);
    declared.add(at);
    hoisted.set(shape, at);
    declareClass(at, membersOf(schema, at), schema.description);
    return at;
  };

  const membersOf = ({ properties = {}, required = [] }: Schema, at: string): string[] =>
    Object.entries(properties).flatMap(([name, member]) =>
      memberLines(
        name,
        typeOf(member, at + camel(name)),
        required.includes(name),
        member.description,
      ),
    );

  const reference = (name: string): string => {
    const type = typeName(name);
    if (declared.has(type)) return type;
    const schema = document.components.schemas[name];
    if (schema === undefined) throw new Error(`The document has no schema ${name}`);
    declared.add(type);
    const isEvent = name.startsWith("event_");
    if (isEvent) events.push(type);
    if (schema.type === "object" && schema.properties !== undefined) {
      const number =
        isEvent || type === "SessionEvent"
          ? ["# Its number, behind which the stream can be taken up.", "seq: int"]
          : [];
      declareClass(type, [...number, ...membersOf(schema, type)], schema.description);
    } else classes.push(`${type}: TypeAlias = ${JSON.stringify(typeOf(schema, `${type}Value`))}\n`);
    return type;
  };

  const problems = new Set<string>();
  const parts = new Map<string, Schema>();
  for (const [path, methods] of Object.entries(document.paths)) {
    if (others.test(path)) continue;
    for (const [method, operation] of Object.entries(methods)) {
      for (const type of problemsOf(operation)) problems.add(type);
      const name = `${method.toUpperCase()} ${path}`;
      const at = operationName(method, path);
      const answers = new Set<string>();
      for (const [status, { content }] of Object.entries(operation.responses)) {
        if (!status.startsWith("2")) continue;
        // Named here, so that all events are.
        const sent = content?.["text/event-stream"]?.schema;
        if (sent !== undefined) typeOf(sent, `${at}Event`);
        const schema = content?.["application/json"]?.schema;
        if (schema !== undefined) answers.add(typeOf(schema, `${at}Answer`));
      }
      const answer = [...answers].join(" | ");
      if (answer !== "" && answer !== `${at}Answer`) {
        classes.push(`${at}Answer: TypeAlias = ${JSON.stringify(answer)}\n`);
      }
      const bodies = operation.requestBody?.content ?? {};
      const body = bodies["application/json"]?.schema ?? bodies["multipart/form-data"]?.schema;
      if (body !== undefined) parts.set(`${name} body`, body);
      const query = (operation.parameters ?? []).filter((parameter) => parameter.in === "query");
      const properties = Object.fromEntries(
        query.map(({ name: member, description, schema }) => [
          member,
          { ...schema, ...(description !== undefined && { description }) },
        ]),
      );
      parts.set(`${name} query`, { type: "object", properties });
    }
  }
  const partOf = (operation: string, part: string): Schema => {
    const schema = parts.get(`${operation} ${part}`);
    if (schema === undefined) throw new Error(`The document has no ${operation} with a ${part}`);
    return schema;
  };
  for (const [type, [operation, part, ...without]] of Object.entries(named)) {
    const { properties = {} } = partOf(operation, part);
    const kept = Object.entries(properties).filter(
      ([name]) => name !== "user_id" && !without.includes(name),
    );
    declareClass(type, membersOf({ properties: Object.fromEntries(kept) }, type));
  }
  const decisions = partOf("POST /chat/message/{message_id}/continue", "body").properties?.[
    "decisions"
  ];
  const decision = typeOf(decisions?.items ?? {}, "Decision");
  if (decision !== "Decision") classes.push(`Decision: TypeAlias = ${JSON.stringify(decision)}\n`);
  const union = (types: readonly string[]) => types.map((type) => `    "${type}",`).join("\n");
  return [
    '"""Made from the OpenAPI document by scripts/write-client-types.ts; changed there, not here."""\n',
    "from __future__ import annotations\n",
    "from collections.abc import Mapping, Sequence",
    "from typing import Any, Literal, TypeAlias, TypedDict, Union\n",
    "from ._typing import NotRequired\n\n",
    classes.join("\n\n"),
    `\n# What happens to a reply.\nReplyEvent: TypeAlias = Union[\n${union(events)}\n]\n`,
    `# Stable names of errors.\nProblemType = Literal[\n${union([...problems].toSorted())}\n]\n`,
  ].join("\n");
}

/** The source of clients/python that waits for nothing, from the one that does. */
export function withoutAwait(source: string): string {
  return source
    .replaceAll(/\basync (def|for|with)\b/g, "$1")
    .replaceAll(/\bawait /g, "")
    .replaceAll(/\b__a(iter|next|enter|exit)__/g, "__$1__")
    .replaceAll(/\ba(close|read|iter_bytes)\b/g, "$1")
    .replaceAll(/\bAsync([A-Z])/g, "$1")
    .replaceAll("._async.", "._sync.");
}

function memberLines(
  name: string,
  type: string,
  isRequired: boolean,
  description: string | undefined,
): string[] {
  if (!/^[A-Za-z_]\w*$/.test(name) || keywords.has(name)) {
    throw new Error(`A member called ${name} cannot be one of a class in Python`);
  }
  const told = description === undefined ? [] : [`# ${description.replaceAll(/\s+/g, " ")}`];
  return [...told, `${name}: ${isRequired ? type : `NotRequired[${type}]`}`];
}

const keywords: ReadonlySet<string> = new Set(
  "and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield None True False".split(
    " ",
  ),
);

function docstring(text: string | undefined): string[] {
  return text === undefined ? [] : [`"""${text.replaceAll(/\s+/g, " ").replaceAll('"', "'")}"""\n`];
}

function indent(line: string): string {
  return `    ${line}`;
}

function literal(values: readonly unknown[]): string {
  const texts = values.map((value) => {
    if (value === null) return "None";
    if (typeof value === "boolean") return value ? "True" : "False";
    return JSON.stringify(value);
  });
  return `Literal[${texts.join(", ")}]`;
}

/** `GET /sessions/{session_id}` → `GetSessionsBySessionId`. */
function operationName(method: string, path: string): string {
  const words = path.split("/").map((part) => {
    const parameter = /^\{(.*)\}$/.exec(part)?.[1];
    return parameter === undefined ? camel(part) : `By${camel(parameter)}`;
  });
  return camel(method) + words.join("");
}

function camel(name: string): string {
  return name
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join("");
}
