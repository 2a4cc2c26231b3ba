import type { ResponseFormat } from "../../agent-backend.ts";
import type { ComponentKind } from "./components.ts";

/** Why a component cannot be told this form of an answer; null: it can. */
export function formFault(kind: ComponentKind, format: ResponseFormat): string | null {
  if (format.type === "text") return null;
  if (kind === "workflow") return "is a workflow of AgentOS, which takes no form of an answer";
  if (format.type === "json_object") return "of AgentOS takes json_schema alone";
  const { type, properties } = format.json_schema.schema;
  const isObject = typeof properties === "object" && properties !== null;
  return type === "object" && isObject && Object.keys(properties).length > 0
    ? null
    : "of AgentOS takes a schema of type object with properties";
}

/**
 * As AgentOS takes it with a run: it makes a class of the schema, named by its title, and asks its model for that.
 * (With `use_json_schema` it would send the schema as it is, in a form that OpenAI does not take.) Null: none.
 */
export function outputSchema(format: ResponseFormat | undefined): string | null {
  if (format?.type !== "json_schema") return null;
  const { name, description, schema } = format.json_schema;
  return JSON.stringify({
    ...(description !== undefined && { description }),
    ...schema,
    title: name,
  });
}
