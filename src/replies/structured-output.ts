import { Type, type Static } from "typebox";
import type { ResponseFormat } from "../agents/agent-backend.ts";

/** The forms in which a reply is read as a value. */
export type OutputFormat = Exclude<ResponseFormat["type"], "text">;

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
        Type.Literal("incomplete"),
        Type.Literal("refused"),
      ],
      {
        description:
          "Why `output` is null; the text is in the reply all the same. `incomplete`: an output limit cut it; `refused`: " +
          "the model or its provider's filter declined; `too_deep`: deeper than 64 levels.",
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
  return isDeeper(value, maxDepth) ? fault("too_deep") : { output: value };
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
