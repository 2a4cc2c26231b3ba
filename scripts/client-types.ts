import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** As much of an OpenAPI document as types are made of. */
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema?: Schema }>> };
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly content?: Readonly<
          Record<string, { schema?: Schema; examples?: Readonly<Record<string, unknown>> }>
        >;
      }
    >
  >;
}

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
}

/** Other protocols, which have clients of their own, and what is no JSON for clients. */
export const others = /^\/(v1|a2a|\.well-known|agui|ai|copilotkit|mcp|metrics|share)(\/|$)|^\/$/;

export const prefix = "#/components/schemas/";

/**
 * The types of packages/client: each named schema, the union of all events of a reply and of all types of errors, and by
 * method and path what an operation takes and gives.
 */
export function describeClientTypes(document: ApiDocument): string {
  const named = new Set<string>();
  const problems = new Set<string>();
  const operations = Object.entries(document.paths)
    .filter(([path]) => !others.test(path))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => {
        for (const type of problemsOf(operation)) problems.add(type);
        return describeOperation(`${method.toUpperCase()} ${path}`, operation, named);
      }),
    );
  const declared: string[] = [];
  // A name may bring others.
  for (const name of named) {
    const schema = document.components.schemas[name];
    if (schema === undefined) throw new Error(`The document has no schema ${name}`);
    declared.push(
      `${comment(schema.description)}export type ${typeName(name)} = ${typeOf(schema, named)};\n`,
    );
  }
  const events = [...named].filter((name) => name.startsWith("event_")).map(typeName);
  return formatted(
    [
      "// Made from the OpenAPI document by scripts/write-client-types.ts; changed there, not here.\n",
      ...declared,
      `/** What happens to a reply. */\nexport type ReplyEvent = ${events.join(" | ")};\n`,
      `/** Stable names of errors. */\nexport type ProblemType = ${[...problems].toSorted().map(literal).join(" | ")};\n`,
      "/** What each operation takes and gives. */\nexport interface Operations {",
      ...operations,
      "}\n",
    ].join("\n"),
  );
}

/** The types of errors that an operation may answer with. */
export function problemsOf(operation: Operation): string[] {
  return Object.values(operation.responses).flatMap(({ content }) => {
    const { schema, examples = {} } = content?.["application/json"] ?? {};
    return schema?.$ref === `${prefix}Problem` ? Object.keys(examples) : [];
  });
}

function formatted(source: string): string {
  const program = join(import.meta.dirname, "../node_modules/.bin/oxfmt");
  return execFileSync(program, ["--stdin-filepath", "types.ts"], {
    input: source,
    encoding: "utf8",
  });
}

function describeOperation(name: string, operation: Operation, named: Set<string>): string {
  const query = (operation.parameters ?? []).filter((parameter) => parameter.in === "query");
  const members = query.map(
    ({ name: member, required, description, schema }) =>
      `${comment(description)}readonly ${key(member)}${required === true ? "" : "?"}: ${orUndefined(typeOf(schema, named))};`,
  );
  const bodies = operation.requestBody?.content ?? {};
  const body = bodies["application/json"]?.schema ?? bodies["multipart/form-data"]?.schema;
  const answers = Object.entries(operation.responses)
    .filter(([status]) => status.startsWith("2"))
    .flatMap(([, { content }]) => {
      const { schema } = content?.["application/json"] ?? {};
      // Named here, so that all events are.
      const events = content?.["text/event-stream"]?.schema;
      if (events !== undefined) typeOf(events, named);
      return schema === undefined ? [] : [typeOf(schema, named)];
    });
  return `${comment(operation.summary)}${literal(name)}: {
  readonly query: ${members.length === 0 ? "object" : `{\n${members.join("\n")}\n}`};
  readonly body: ${body === undefined ? "undefined" : typeOf(body, named)};
  readonly answer: ${[...new Set(answers)].join(" | ") || "never"};
};`;
}

/** As TypeScript; notes the names that it uses. */
function typeOf(schema: Schema, named: Set<string>): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice(prefix.length);
    named.add(name);
    return typeName(name);
  }
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(literal).join(" | ");
  if (schema.anyOf !== undefined) {
    return [...new Set(schema.anyOf.map((each) => typeOf(each, named)))].join(" | ");
  }
  switch (schema.type) {
    case "string":
      return "string";
    case "integer":
    case "number":
      return "number";
    case "boolean":
    case "null":
      return schema.type;
    case "array":
      return `readonly (${schema.items === undefined ? "unknown" : typeOf(schema.items, named)})[]`;
    case "object":
      return objectType(schema, named);
    default:
      return "unknown";
  }
}

function objectType(schema: Schema, named: Set<string>): string {
  const { properties = {}, required = [], additionalProperties } = schema;
  const members = Object.entries(properties).map(([name, member]) => {
    const isRequired = required.includes(name);
    const type = typeOf(member, named);
    return `${comment(member.description)}readonly ${key(name)}${isRequired ? "" : "?"}: ${isRequired ? type : orUndefined(type)};`;
  });
  const isOpen = typeof additionalProperties === "object" || additionalProperties === true;
  if (isOpen || members.length === 0) {
    const value =
      typeof additionalProperties === "object" && members.length === 0
        ? typeOf(additionalProperties, named)
        : "unknown";
    members.push(`readonly [name: string]: ${value};`);
  }
  return `{\n${members.join("\n")}\n}`;
}

function orUndefined(type: string): string {
  return type === "unknown" ? type : `${type} | undefined`;
}

/** `event_tool_call` → `ToolCallEvent`, `SessionInfo` as it is. */
export function typeName(name: string): string {
  const event = /^event_(.*)$/.exec(name)?.[1];
  if (event === undefined) return name;
  const words = event.replace(/_event$/, "").split("_");
  return `${words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join("")}Event`;
}

function comment(text: string | undefined): string {
  return text === undefined
    ? ""
    : `/** ${text.replaceAll("*/", "*\\/").replaceAll(/\s+/g, " ")} */\n`;
}

function literal(value: unknown): string {
  return JSON.stringify(value);
}

function key(name: string): string {
  return /^[\w$]+$/.test(name) ? name : literal(name);
}
