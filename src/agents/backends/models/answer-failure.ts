import { errorIdentifier } from "../../../lib/error-identifier.ts";
import { UpstreamError } from "../../upstream/upstream-error.ts";
import type { AnswerDocument } from "./answer-parser.ts";
import { isFields } from "./message-parts.ts";

const maxExcerptLength = 4096;

/**
 * The fault that a part of an answer reports, though its status was 200; null for everything else. OpenAI and its kin
 * send `{error}`, the Model Service `{success: false}` and `{detail}`, vLLM `{object: "error"}`, others a code and a
 * message, or an event of that name.
 */
export function failureOf({ event, value: fields }: AnswerDocument): UpstreamError | null {
  if (fields === undefined) return null;
  const { error } = fields;
  const reports = isReport(error) || (!hasChoices(fields) && saysSo(event, fields));
  if (!reports && fields["success"] !== false) return null;
  const inner = isFields(error) ? error : fields;
  const codes = [inner["code"], inner["type"], inner["status"], fields["code"], fields["type"]];
  const code = codes
    .map(codeText)
    .map(errorIdentifier)
    .find((each) => each !== null);
  const status = codes
    .map(Number)
    .find((each) => Number.isInteger(each) && each >= 400 && each < 600);
  return new UpstreamError(
    "failed",
    `the model reported an error in its answer${code ? ` (${code})` : ""}`,
    {
      bodyExcerpt: JSON.stringify(fields).slice(0, maxExcerptLength),
      ...(status === undefined ? {} : { status }),
    },
  );
}

/** Servers that always send all members send none of it as null or an empty list. */
function hasChoices({ choices }: Readonly<Record<string, unknown>>): boolean {
  return Array.isArray(choices) ? choices.length > 0 : choices !== undefined && choices !== null;
}

/** Some send an empty one with everything that is well. */
function isReport(error: unknown): boolean {
  if (isFields(error)) return Object.values(error).some((each) => each !== null && each !== "");
  if (Array.isArray(error)) return error.length > 0;
  return Boolean(error);
}

function saysSo(event: string | null, fields: Readonly<Record<string, unknown>>): boolean {
  if (
    event?.toLowerCase() === "error" ||
    fields["object"] === "error" ||
    fields["type"] === "error"
  )
    return true;
  if (fields["status"] === "error" || fields["success"] === false) return true;
  if (Boolean(fields["detail"]) || isReport(fields["errors"])) return true;
  const base = fields["base_resp"];
  if (isFields(base) && isFault(base["status_code"])) return true;
  const words = fields["message"] ?? fields["msg"] ?? fields["error_msg"];
  if (typeof words !== "string" || words === "") return false;
  const given = fields["code"] ?? fields["status_code"] ?? fields["error_code"];
  // A message and nothing else is how proxies answer.
  return given === undefined ? Object.keys(fields).length <= 2 : isFault(given);
}

function isFault(code: unknown): boolean {
  return ![undefined, null, 0, 200, "", "0", "200", "ok", "OK", "success"].includes(code as string);
}

function codeText(code: unknown): unknown {
  return typeof code === "number" ? String(code) : code;
}
