/**
 * What may be in a line of the log. Objects that carry other people's data (requests, responses, errors) are
 * reduced to named members; names that stand for content or secrets are struck out wherever they appear.
 */

const maxTextLength = 1_000;
const maxStackLength = 4_000;
const maxCauses = 3;
const maxErrors = 3;
const maxDepth = 3;
const maxMembers = 40;

const struckOut = "[struck out]";

/** Compared without case, `-` and `_`. */
const forbiddenNames = new Set(
  [
    "accesstoken apikey authorization body chunk connectionstring content cookie credentials databaseurl headers",
    "historytext input instructions jwt message messages output parameters params passphrase password payload prompt",
    "query rawbody rawheaders redisurl refreshtoken reply response secret secretkey setcookie text token transcript",
    "usertoken",
  ]
    .join(" ")
    .split(" "),
);

function isForbidden(name: string): boolean {
  return forbiddenNames.has(name.toLowerCase().replaceAll(/[-_]/g, ""));
}

/** Cuts a text, masks passwords, query strings and tokens in it. */
export function safeText(text: string, maxLength = maxTextLength): string {
  const cut =
    text.length > maxLength ? `${text.slice(0, maxLength)}… (${text.length} characters)` : text;
  if (!/:\/\/|bearer|basic|eyJ|\b(?:sk|pk|key)-/i.test(cut)) return cut;
  return cut
    .replaceAll(/:\/\/[^\s/@'"]*@/g, "://***@")
    .replaceAll(/(:\/\/[^\s?'"<>]{1,500})\?[^\s'"<>]*/g, "$1?…")
    .replaceAll(/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, "$1 ***")
    .replaceAll(/\beyJ[\w-]{5,}(?:\.[\w-]+){1,2}/g, "***")
    .replaceAll(/\b(?:sk|pk|key)-[\w-]{16,}/g, "***");
}

/** The fields of a line, made safe; the given object is not changed. */
export function safeFields(fields: object): Record<string, unknown> {
  return safeMembers(fields, 0);
}

function safeMembers(value: object, depth: number): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value).slice(0, maxMembers)) {
    safe[name] = isForbidden(name) && member !== null ? struckOut : safeValue(name, member, depth);
  }
  return safe;
}

function safeValue(name: string, value: unknown, depth: number): unknown {
  if (typeof value === "string") return safeText(value);
  if (typeof value !== "object" || value === null) {
    return typeof value === "bigint" ? String(value) : value;
  }
  if (value instanceof Error) return safeError(value);
  if (value instanceof Date) return value;
  if (name === "req") return safeRequest(value);
  if (name === "res") return safeResponse(value);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= maxDepth) return "[deeper]";
  if (Array.isArray(value)) {
    return value.slice(0, maxMembers).map((item) => safeValue("", item, depth + 1));
  }
  return safeMembers(value, depth + 1);
}

/** Type, message, code, stack and causes of an error; drivers hang statements, parameters and bodies on theirs. */
export function safeError(error: unknown, causes = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error, message: safeText(String(error)) };
  const { code, type: problem } = error as { code?: unknown; type?: unknown };
  const message = safeText(error.message);
  return {
    type: error.name === "Error" ? error.constructor.name : error.name,
    ...(typeof problem === "string" && { problem }),
    message,
    ...((typeof code === "string" || typeof code === "number") && { code }),
    stack: safeStack(error, message),
    ...(error.cause !== undefined &&
      causes < maxCauses && { cause: safeError(error.cause, causes + 1) }),
    ...(error instanceof AggregateError &&
      causes < maxCauses && {
        errors: error.errors.slice(0, maxErrors).map((one) => safeError(one, causes + 1)),
      }),
  };
}

/**
 * For libraries that put serializers of their own before ours: what is safe already passes, and what came past
 * `safeFields` is made safe.
 */
export const safeSerializers = {
  err: (value: unknown) => (value instanceof Error ? safeError(value) : value),
  req: (value: unknown) => (isObject(value) ? safeRequest(value) : undefined),
  res: (value: unknown) => (isObject(value) ? safeResponse(value) : undefined),
};

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** The stack under the safe message: as V8 writes it, it would repeat the whole one. */
function safeStack(error: Error, message: string): string {
  const stack = typeof error.stack === "string" ? error.stack : "";
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  return [`${error.name}: ${message}`, ...frames].join("\n").slice(0, maxStackLength);
}

function safeRequest(request: object): Record<string, unknown> {
  const { id, method, url } = request as { id?: unknown; method?: unknown; url?: unknown };
  return { id, method, url: typeof url === "string" ? url.split("?", 1)[0] : undefined };
}

function safeResponse(response: object): Record<string, unknown> {
  const { statusCode } = response as { statusCode?: unknown };
  return { statusCode };
}
