import { spawnSync } from "node:child_process";
import { Agent, request as httpRequest } from "node:http";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormatsModule from "ajv-formats";
import { createParser } from "eventsource-parser";
import { generateRequest, type FuzzRequest, type Operation } from "./generate-requests.ts";
import type { JsonSchema } from "./generate-values.ts";
import { createStates, statesEnv } from "./fuzz-states.ts";
import { createRandom } from "./random.ts";
import { startSecurityStage, type Belongings, type SecurityStage } from "./stage.ts";

export interface FuzzReport {
  readonly seed: number;
  readonly requests: number;
  /** How many answers had each status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Operations that never said yes to anybody. */
  readonly neverSucceeded: readonly string[];
  /** Refused requests that were sent again in one go, and changed nothing all together. */
  readonly refusedAgain: number;
  /** What must not have happened, with the request that did it; the first 50. */
  readonly faults: readonly string[];
  readonly isAlive: boolean;
}

interface FuzzOptions {
  readonly requests: number;
  readonly seed: number;
  /** After each batch, with the faults so far. */
  readonly onProgress?: (done: number, faults: readonly string[]) => void;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, Omit<Operation, "method" | "path">>>>
  >;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

const addFormats = addFormatsModule as unknown as (ajv: Ajv2020) => void;
const speaksNoChinese = spawnSync("espeak-ng", ["--version"]).error !== undefined;
const concurrency = 4;
const batchSize = 250;

const maxFaults = 50;
const answerTimeoutMs = 60_000;
/** Engines of speech are slow, and other tests are about them. */
const seldom = /^\/(chat\/voice|metrics|health|info|openapi)/;
/** Never ends by itself: only how it begins is looked at. */
const isEndless = ({ path }: Operation): boolean => path === "/sessions/events";
/**
 * Members whose refusal depends on what there is: positions in lists, messages of another kind, decisions that are made,
 * voices and their formats, names that are taken, what does not go together.
 */
const ofTheState =
  /^(?:$|\/(?:cursor|acts_for_users|(?:(?:parent|head)_)?message_id|voice|format|name|decisions)\b|(?:\/\w+)?\/response_format\/json_schema\/schema\b)/;
/** Nothing was wrong with the state of things, but with the request: sent again it is refused again. */
const refusals = new Set([400, 401, 403, 405, 413, 415, 422]);

/** Sends generated requests to a service of its own and compares every answer with the document. */
export async function fuzzService(options: FuzzOptions): Promise<FuzzReport> {
  const stage = await startSecurityStage({
    ...statesEnv,
    LIMITS_MAX_MESSAGE_LENGTH: "300",
    VOICE_TTS_PROVIDER: "auto",
    // Never reached; asked for all the same.
    LIMITS_MAX_STORED_BYTES_PER_USER: "100000000000",
  });
  try {
    return await fuzz(stage, options);
  } finally {
    await stage.stop();
  }
}

async function fuzz(stage: SecurityStage, options: FuzzOptions): Promise<FuzzReport> {
  const { body: document } = await stage.clients.owner.get<Document>("/openapi.json");
  const operations = operationsOf(document);
  const rare = operations.filter(({ path }) => seldom.test(path));
  const often = operations.filter(({ path }) => !seldom.test(path));
  const destructive = often.filter(isDestructive);
  const mild = often.filter((operation) => !isDestructive(operation));
  const faultOf = createChecks(document);
  const random = createRandom(options.seed);
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const statuses: Record<string, number> = {};
  const faults: string[] = [];
  const tell = (fault: string, request: FuzzRequest, answer: string) => {
    if (faults.length < maxFaults) faults.push(`${fault}\n  ${describe(request)}\n  ${answer}`);
  };
  let refusedAgain = 0;
  const unsuccessful = new Set(operations.map(nameOf));
  const cursors = new Map<string, string>();

  const run = async (request: FuzzRequest): Promise<number | null> => {
    try {
      const answer = await send(stage, request, agent);
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      if (answer.status < 300 && !request.isElsewhere) {
        unsuccessful.delete(nameOf({ ...request.operation, method: request.method }));
        const cursor = /"next_cursor":"([^"]+)"/.exec(answer.text)?.[1];
        if (cursor !== undefined) cursors.set(request.operation.path, cursor);
      }
      const fault = faultOf(request, answer);
      if (fault !== null) tell(fault, request, `${answer.status} ${answer.text.slice(0, 600)}`);
      return answer.status;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      // A body that is refused by its size is not read to its end.
      const isCut = ["ECONNRESET", "EPIPE"].includes(code) && (request.body?.length ?? 0) > 500_000;
      if (isCut) statuses["cut"] = (statuses["cut"] ?? 0) + 1;
      else tell(`no answer: ${code}`, request, "");
      return null;
    }
  };
  const runAll = async (requests: readonly FuzzRequest[]): Promise<(number | null)[]> => {
    const results: (number | null)[] = [];
    let next = 0;
    await Promise.all(
      Array.from({ length: concurrency }, async () => {
        while (next < requests.length) {
          const index = next++;
          results[index] = await run(requests[index] as FuzzRequest);
        }
      }),
    );
    return results;
  };

  const cancelledId = await cancelledReply(stage);
  const createBatch = createStates(stage);
  let done = 0;
  const belongings: Belongings[] = [];
  while (done < options.requests) {
    belongings.push(await stage.belongings());
    if (belongings.length > 3) belongings.shift();
    const newest = belongings.at(-1) as Belongings;
    const states = await createBatch(done, newest.sessionId);
    const { recording } = stage;
    const sources = { random, belongings, recording, states, cancelledId, cursors };
    const count = Math.min(batchSize, options.requests - done);
    const requests = Array.from({ length: count }, () => {
      const from = random.chance(0.04) ? rare : random.chance(0.05) ? destructive : mild;
      return generateRequest(random.pick(from), sources);
    });
    const results = await runAll(requests);
    done += count;
    const refused = requests.filter((_, index) => refusals.has(results[index] ?? 0));
    states.release();
    const before = await settled(stage);
    const again = await runAll(refused);
    if (again.every((status) => (status ?? 413) >= 400)) {
      refusedAgain += refused.length;
      const after = await stage.dump();
      if (after !== before)
        faults.push(`refused requests have changed something:${changes(before, after)}`);
    }
    options.onProgress?.(done, faults);
    if (faults.length >= maxFaults) break;
  }
  agent.destroy();
  // Whatever callers send, an ERROR is somebody else's, and no library writes past the log.
  for (const line of stage.service.output().split("\n")) {
    if (line !== "" && !/^\{"level":"(?:debug|info|warn)"/.test(line))
      faults.push(`logged: ${line}`);
  }
  const health = await stage.clients.anonymous.get<{ status: string }>("/health");
  const alive = await stage.belongings().then(
    () => true,
    () => false,
  );
  return {
    seed: options.seed,
    requests: done,
    statuses,
    neverSucceeded: [...unsuccessful],
    refusedAgain,
    faults,
    isAlive: health.body.status === "healthy" && alive && stage.service.process.exitCode === null,
  };
}

/** A reply that was stopped. */
async function cancelledReply({ clients, model }: SecurityStage): Promise<string> {
  model.enqueue({ tokens: ["a"], fault: { kind: "hang" } });
  const stream = await clients.owner.stream({ message: "for ever" });
  const replyId = stream.headers.get("x-message-id") ?? "";
  await stream.next(({ type }) => type === "assistant_chunk");
  await clients.owner.send("POST", `/chat/message/${replyId}/cancel`);
  await stream.all();
  return replyId;
}

/** Done often, it would leave nothing for the others. */
const isDestructive = ({ method, path }: Operation): boolean =>
  method === "DELETE" || /^\/sessions\/(batch|cleanup)$/.test(path);

const nameOf = ({ method, path }: Operation): string => `${method} ${path}`;

/** Whether it says, as the document does, that it does as much of this at a time as it may. */
function isBusy({ responses }: Operation, status: number, text: string): boolean {
  const documented = responses[String(status)];
  return (
    text.includes('"overloaded"') && documented?.description?.includes("`overloaded`") === true
  );
}

/** The rows of which only one of two dumps knows. */
function changes(before: string, after: string): string {
  const [old, now] = [before, after].map((dump) => new Set(dump.split("\n")));
  const gone = [...(old ?? [])].filter((row) => now?.has(row) === false).map((row) => `- ${row}`);
  const come = [...(now ?? [])].filter((row) => old?.has(row) === false).map((row) => `+ ${row}`);
  return [...gone, ...come].map((row) => `\n  ${row.slice(0, 400)}`).join("");
}

/** What is stored once replies that run have ended. */
async function settled(stage: SecurityStage): Promise<string> {
  let last = await stage.dump();
  for (let look = 0; look < 300; look += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const now = await stage.dump();
    if (now === last && !/,(?:streaming|queued),/.test(now)) return now;
    last = now;
  }
  throw new Error("a reply does not end");
}

function operationsOf(document: Document): Operation[] {
  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value !== "object" || value === null) return value;
    const reference = (value as JsonSchema).$ref;
    if (typeof reference === "string") {
      return resolve(document.components.schemas[reference.split("/").at(-1) ?? ""]);
    }
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [name, resolve(member)]),
    );
  };
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      parameters: resolve(operation.parameters) as NonNullable<Operation["parameters"]>,
      requestBody: resolve(operation.requestBody) as NonNullable<Operation["requestBody"]>,
      method: method.toUpperCase(),
      path,
    })),
  );
}

/** Null when the answer is what the document says. */
function createChecks(document: Document): (request: FuzzRequest, answer: Answer) => string | null {
  const ajv = new Ajv2020({ strict: false });
  addFormats(ajv);
  ajv.addSchema({ ...document, $id: "document" });
  const faultAt = (parts: readonly string[], value: unknown): string | null => {
    const escaped = parts.map((part) =>
      encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")),
    );
    const validate = ajv.getSchema(`document#/${escaped.join("/")}`);
    if (validate === undefined) return `no schema at ${parts.join(" ")}`;
    return validate(value) ? null : `not as documented: ${JSON.stringify(validate.errors)}`;
  };

  return ({ operation, method, isElsewhere, isFitting }, { status, type, text, headers }) => {
    if (status >= 500 && !isBusy(operation, status, text)) {
      if (!speaksNoChinese || !text.includes('"voice_unavailable"'))
        return "a fault of the service";
    }
    if (headers["x-request-id"] === undefined) return "no X-Request-ID";
    if (method === "HEAD") return null;
    const isJson = type === "application/json";
    const media = Object.keys(operation.responses[String(status)]?.content ?? {});
    const isDocumented = media.some((each) =>
      new RegExp(`^${each.replace("*", ".*")}$`).test(type),
    );
    // A page that browsers are shown says so in the document.
    if (status >= 400 && (isJson || !isDocumented)) {
      if (!isJson) return "an error that is no JSON";
      const problem = JSON.parse(text) as { error: { code: number } };
      // Protocols have shapes of their own; what was asked elsewhere may be in any of them.
      const shape = isElsewhere ? shapeOf(problem) : shapeAt(operation);
      const fault = faultAt(["components", "schemas", shape], problem);
      if (fault !== null) return fault;
      if (shape === "Problem" && problem.error.code !== status)
        return "another code than the status";
    }
    // What it met is not known: any refusal will do.
    if (method !== operation.method || isElsewhere) return null;
    const documented = operation.responses[String(status)];
    if (status === 304) return text === "" ? null : "304 with a body";
    if (documented === undefined) {
      if (status === 404 || status === 405 || status === 308) return null;
      return "a status that is not documented";
    }
    // That shape does not say which member it was.
    if (status === 422 && isFitting && !isUnspecific.has(shapeAt(operation))) {
      const { error } = JSON.parse(text) as {
        error: { type: string; param?: string; details?: { path: string }[] };
      };
      const paths = isOfOpenAi(operation)
        ? [`/${error.param}`]
        : (error.details ?? []).map(({ path }) => path);
      const unsaid = paths.filter((path) => !ofTheState.test(path));
      if (isOfOpenAi(operation)) {
        return unsaid.length > 0 ? "refused for what the document does not say" : null;
      }
      return error.type === "validation_failed" && unsaid.length > 0
        ? "refused for what the document does not say"
        : null;
    }
    if (status >= 400) return null;
    const base = ["paths", operation.path, method.toLowerCase(), "responses", String(status)];
    if (isJson) {
      return faultAt([...base, "content", "application/json", "schema"], JSON.parse(text));
    }
    if (isEndless(operation) || shapeAt(operation) !== "Problem") return null;
    if (type === "text/event-stream") return faultInEvents(text, faultAt);
    return isDocumented ? null : `${type} is not documented`;
  };
}

/** Which member a fault is of, their text alone says. */
const isUnspecific: ReadonlySet<string> = new Set(["RunError", "ChatError", "TranscriptionError"]);

function shapeOf(problem: object): string {
  if ("success" in problem) return "Problem";
  if ("jsonrpc" in problem) return "McpError";
  if ("retryable" in problem) return "TranscriptionError";
  if (typeof (problem as { error?: unknown }).error === "string") return "ChatError";
  return "code" in problem ? "RunError" : "OpenAiError";
}

function shapeAt(operation: Operation): string {
  if (operation.path === "/mcp") return "McpError";
  if (operation.path.startsWith("/ai/")) return "ChatError";
  if (operation.path.startsWith("/a2a")) return "A2aError";
  if (operation.path === "/copilotkit/transcribe") return "TranscriptionError";
  if (/^\/(agui|copilotkit)\//.test(operation.path)) return "RunError";
  return isOfOpenAi(operation) ? "OpenAiError" : "Problem";
}

function isOfOpenAi({ path }: Operation): boolean {
  return path.startsWith("/v1/");
}

function faultInEvents(
  text: string,
  faultAt: (parts: readonly string[], value: unknown) => string | null,
): string | null {
  let fault: string | null = null;
  let last = "";
  const parser = createParser({
    onEvent({ data }) {
      last = data;
      if (data === "[DONE]") return;
      const event = JSON.parse(data) as { type: string };
      fault ??= faultAt(["components", "schemas", `event_${event.type}`], event);
    },
  });
  parser.feed(text);
  return fault ?? (last === "[DONE]" ? null : "a stream without an end");
}

function send(stage: SecurityStage, request: FuzzRequest, agent: Agent): Promise<Answer> {
  const { hostname, port } = new URL(stage.service.url);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      {
        hostname,
        port,
        agent,
        method: request.method,
        path: request.path,
        headers: {
          ...stage.headers[request.caller],
          ...request.headers,
          ...(request.body !== null && { "content-length": request.body.length }),
        },
        signal: AbortSignal.timeout(answerTimeoutMs),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        const done = () =>
          resolve({
            status: response.statusCode ?? 0,
            type: (response.headers["content-type"] ?? "").split(";")[0]?.trim() ?? "",
            headers: response.headers,
            text: Buffer.concat(chunks).toString("utf8"),
          });
        if (isEndless(request.operation) && response.statusCode === 200) {
          done();
          response.destroy();
          return;
        }
        response.once("error", reject);
        response.once("end", done);
      },
    );
    outgoing.once("error", reject);
    outgoing.end(request.body ?? undefined);
  });
}

function describe({ caller, method, path, headers, body }: FuzzRequest): string {
  const content = body === null ? "" : JSON.stringify(body.subarray(0, 700).toString("latin1"));
  return `${caller}: ${method} ${path.slice(0, 400)} ${JSON.stringify(headers).slice(0, 300)} ${content}`;
}
