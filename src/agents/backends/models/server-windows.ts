import type { Logger } from "../../../telemetry/logger.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";
import { isFields } from "./message-parts.ts";
import type { EndpointModel } from "./model-list.ts";

/** Windows that servers tell elsewhere than in their list of models. */
export interface ServerWindows {
  /** Asks in the background, where the list shows a server that can be asked; one round at a time, and never raises. */
  learn(models: readonly EndpointModel[]): void;
  /** In tokens; null: not told. */
  of(model: string): number | null;
  /** Waits for the round under way. */
  close(): Promise<void>;
}

type Fields = Readonly<Record<string, unknown>>;
type Ask = (
  root: Upstream,
  models: readonly string[],
  known: ReadonlyMap<string, number>,
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, number>>;

/** For one question. */
const timeoutMs = 2_000;
/** Of models that a list has, so many are asked about. */
const maxModels = 50;
/** What was told is asked anew after so long, because models are replaced. */
const keptMs = 10 * 60_000;

/** Who it is shows in the owner of its models. */
const servers: Readonly<Record<string, Ask>> = {
  library: askOllama,
  llamacpp: askLlamaCpp,
  organization_owner: askLmStudio,
};

export function createServerWindows(options: {
  /** Of the address without `/v1`. */
  readonly root: Upstream;
  readonly now: () => number;
  readonly log: Logger;
}): ServerWindows {
  const { root, now, log } = options;
  const closing = new AbortController();
  let known: ReadonlyMap<string, number> = new Map();
  let knownUntilMs = 0;
  let round: Promise<void> | null = null;

  async function ask(how: Ask, models: readonly string[]): Promise<void> {
    if (now() >= knownUntilMs) {
      known = new Map();
      knownUntilMs = now() + keptMs;
    }
    try {
      known = new Map([...known, ...(await how(root, models, known, closing.signal))]);
    } catch (error) {
      log.debug({ err: error }, "the server of models did not tell their windows");
    } finally {
      round = null;
    }
  }

  return {
    learn(models) {
      const how = models
        .map(({ provider }) => servers[provider])
        .find((each) => each !== undefined);
      if (how === undefined || closing.signal.aborted) return;
      round ??= ask(
        how,
        models.slice(0, maxModels).map(({ id }) => id),
      );
    },
    of: (model) => known.get(model) ?? known.get(`${model}:latest`) ?? null,
    async close() {
      closing.abort(new Error("closed"));
      await round;
      await root.close();
    },
  };
}

async function question(
  root: Upstream,
  path: string,
  signal: AbortSignal,
  body?: object,
): Promise<Fields> {
  const answer = await root.json({
    method: body === undefined ? "GET" : "POST",
    path,
    ...(body && { body: JSON.stringify(body) }),
    signal,
    agentId: "models",
    maxRetries: 0,
    timeoutMs,
  });
  return isFields(answer) ? answer : {};
}

/**
 * What a model was loaded with; else what its Modelfile sets, else what it could take. Asked about each model once: only
 * which are loaded changes.
 */
async function askOllama(
  root: Upstream,
  models: readonly string[],
  known: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (const model of models) {
    if (known.has(model)) continue;
    // One that was removed meanwhile is not there to be shown.
    const shown = await question(root, "/api/show", signal, { model }).catch(
      (error: unknown): Fields => {
        if (upstreamErrorOf(error)?.status === undefined) throw error;
        return {};
      },
    );
    const { parameters, model_info: info } = shown;
    const set = /^num_ctx\s+(\d+)/m.exec(typeof parameters === "string" ? parameters : "")?.[1];
    const name = Object.keys(isFields(info) ? info : {}).find((key) =>
      key.endsWith(".context_length"),
    );
    note(found, model, set ?? (isFields(info) && name !== undefined ? info[name] : null));
  }
  const { models: loaded } = await question(root, "/api/ps", signal);
  for (const each of listOf(loaded))
    note(found, each["model"] ?? each["name"], each["context_length"]);
  return found;
}

async function askLlamaCpp(
  root: Upstream,
  models: readonly string[],
  _known: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const { default_generation_settings: settings } = await question(root, "/props", signal);
  const found = new Map<string, number>();
  // It serves one model, whatever it is called.
  for (const model of models) note(found, model, isFields(settings) ? settings["n_ctx"] : null);
  return found;
}

async function askLmStudio(
  root: Upstream,
  _models: readonly string[],
  _known: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const { data } = await question(root, "/api/v0/models", signal);
  const found = new Map<string, number>();
  for (const each of listOf(data)) {
    note(found, each["id"], each["loaded_context_length"] ?? each["max_context_length"]);
  }
  return found;
}

function listOf(list: unknown): readonly Fields[] {
  return Array.isArray(list) ? (list as readonly unknown[]).filter(isFields) : [];
}

function note(found: Map<string, number>, model: unknown, given: unknown): void {
  const tokens = Number(given);
  if (typeof model === "string" && Number.isInteger(tokens) && tokens >= 256)
    found.set(model, tokens);
}
