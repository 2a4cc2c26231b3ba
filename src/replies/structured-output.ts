import { Type, type Static } from "typebox";
import type { ResponseFormat } from "../agents/agent-backend.ts";
import { fitOf } from "./schema-fit.ts";

/** The forms in which a reply is read as a value; of one with a schema also what checking it against that has shown. */
export const outputFormats = [
  "json_object",
  "json_schema",
  "json_schema_mismatch",
  "json_schema_unchecked",
] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** Members of a message, an answer and the event that tells a reply's end. */
export const outputMembers = {
  output: Type.Optional(
    Type.Unknown({
      description:
        "Where `response_format` asked for JSON: the reply as a value; null with `output_error` where it is none.",
    }),
  ),
  output_error: Type.Optional(
    Type.Union(
      [
        Type.Literal("not_json"),
        Type.Literal("not_an_object"),
        Type.Literal("too_deep"),
        Type.Literal("schema_mismatch"),
        Type.Literal("schema_unchecked"),
        Type.Literal("incomplete"),
        Type.Literal("refused"),
      ],
      {
        description:
          "Why `output` is null; the text is in the reply all the same. `incomplete`: an output limit cut it; `refused`: " +
          "the model or its provider's filter declined; `too_deep`: deeper than 64 levels; `schema_mismatch`: it is JSON, " +
          "but not as the schema wants it. With `schema_unchecked` alone `output` is there: the schema has a pattern or " +
          "a shape with which it could not be checked, or not in 200 ms.",
      },
    ),
  ),
};

interface Output {
  readonly output: unknown;
  readonly output_error?: NonNullable<Static<(typeof outputMembers)["output_error"]>>;
}

interface Said {
  /** Null: no form was asked for. */
  readonly outputFormat?: OutputFormat | null | undefined;
  readonly status: string;
  readonly content: string;
  readonly finishReason: string | null;
}

/** What is deeper can be read, but not written again. */
const maxDepth = 64;

/** The form of a reply that has come to its end: checked once, when its schema is at hand. */
export function formOf(asked: ResponseFormat | undefined, content: string): OutputFormat | null {
  if (asked === undefined || asked.type === "text") return null;
  if (asked.type === "json_object") return asked.type;
  const value = parse(unfenced(content));
  if (value === undefined || isDeeper(value, maxDepth)) return asked.type;
  const fit = fitOf(asked.json_schema.schema, value);
  return fit === "fits" ? asked.type : `json_schema_${fit}`;
}

/** The reply as a value; null where none was asked for, or the reply did not come to its end. */
export function outputOf({ outputFormat, status, content, finishReason }: Said): Output | null {
  if (outputFormat === undefined || outputFormat === null || status !== "complete") return null;
  const value = parse(unfenced(content));
  if (value === undefined) {
    if (finishReason === "length") return fault("incomplete");
    return fault(finishReason === "content_filter" ? "refused" : "not_json");
  }
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (outputFormat === "json_object" && !isObject) return fault("not_an_object");
  if (isDeeper(value, maxDepth)) return fault("too_deep");
  if (outputFormat === "json_schema_mismatch") return fault("schema_mismatch");
  if (outputFormat === "json_schema_unchecked") {
    return { output: value, output_error: "schema_unchecked" };
  }
  return { output: value };
}

function fault(why: NonNullable<Output["output_error"]>): Output {
  return { output: null, output_error: why };
}

/** Models that are only asked for JSON like to put it into a block of code. */
function unfenced(content: string): string {
  const text = content.trim();
  return /^```(?:json)?[ \t]*\n([^]*?)\n?```$/i.exec(text)?.[1] ?? text;
}

/** Undefined for what is no JSON; its parser's message would quote the text. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((each) => isDeeper(each, levels - 1));
}
