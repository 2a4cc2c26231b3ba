import { Problem } from "../problems/problem.ts";

/** Objects, arrays, texts, numbers … in one document. What each of them costs is no part of its bytes: `{}` takes 60. */
const maxValues = 20_000;

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openArray, closeArray, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Raises `payload_too_large` for JSON that would be too many values to make, or of which more than `maxBytes` are no
 * long text. Anything else is the parser's to say.
 */
export function checkJson(json: Uint8Array, maxBytes: number): void {
  const { values, steps } = scanJson(json, maxValues, maxBytes);
  if (values > maxValues) {
    throw new Problem("payload_too_large", { limit: `${maxValues} JSON values` });
  }
  if (steps > maxBytes) throw tooLarge();
}

/**
 * The values in a JSON document, and the bytes that had to be looked at one by one: all but the texts without quotes in
 * them. Stops when there are more than enough of either. Of what is no JSON some numbers.
 */
export function scanJson(
  json: Uint8Array,
  enoughValues = Infinity,
  enoughSteps = Infinity,
): { readonly values: number; readonly steps: number } {
  let values = 0;
  let steps = 0;
  /** What came last is a text, a number, a word, and no container. */
  let isScalar = false;
  for (let index = 0; index < json.length; index++) {
    steps += 1;
    if (values > enoughValues || steps > enoughSteps) break;
    switch (json[index]) {
      case openArray:
      case openObject:
        values += 1;
        isScalar = false;
        break;
      case comma:
      case closeArray:
      case closeObject:
        if (isScalar) values += 1;
        isScalar = false;
        break;
      case colon:
        // What stands before it is a name, and no value.
        isScalar = false;
        break;
      case quote: {
        const end = json.indexOf(quote, index + 1);
        if (end === -1) {
          index = json.length;
        } else if (json[end - 1] !== backslash) {
          // Base64 has no escapes: most of a large body is passed over at the speed of memory.
          index = end;
        } else {
          const stopped = endOfText(json, index, enoughSteps - steps);
          steps += stopped - index;
          index = stopped;
        }
        isScalar = true;
        break;
      }
      case 0x20:
      case 0x09:
      case 0x0a:
      case 0x0d:
        break;
      default:
        isScalar = true;
    }
  }
  return { values: isScalar ? values + 1 : values, steps };
}

/** Where the text ends that begins at `start`, or where it was not looked at any further. */
function endOfText(json: Uint8Array, start: number, enoughSteps: number): number {
  let index = start + 1;
  while (index < json.length && index - start <= enoughSteps && json[index] !== quote) {
    index += json[index] === backslash ? 2 : 1;
  }
  return index;
}

/**
 * Raises `payload_too_large` when what was read from `bytes` of JSON is larger than `maxBytes` without its files: these
 * have a limit of their own.
 */
export function checkRest(value: unknown, bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  const rest = Buffer.byteLength(JSON.stringify(withoutFiles(value)));
  if (rest > maxBytes) throw tooLarge();
}

function withoutFiles(value: unknown): unknown {
  const { attachments } = value as { attachments?: unknown };
  if (!Array.isArray(attachments)) return value;
  const names = attachments.map((file: unknown) =>
    typeof (file as { data?: unknown } | null)?.data === "string"
      ? { ...(file as object), data: "" }
      : file,
  );
  return { ...(value as object), attachments: names };
}

function tooLarge(): Problem {
  return new Problem("payload_too_large", { limit: "limits.max_body_size" });
}
