const timeoutMs = 1_000;
const keptMs = 30_000;
const maxBodyBytes = 256 * 1024;

/** What an Ollama on this machine said; `chatModel` is null when it has nothing to talk with. */
export interface OllamaFound {
  readonly baseUrl: string;
  readonly chatModel: string | null;
}

export interface OllamaLook {
  /** Null when none answers within a second. The answer is kept for 30 s; never raises. */
  find(): Promise<OllamaFound | null>;
}

/** Names end up in a shell line that people copy, so anything unusual is left out. */
const harmlessName = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$/;
const notForChat = /embed|bge-|minilm|rerank|arctic/i;

/**
 * Looks whether an Ollama listens, to name the line that connects it. Only ever asks for its list of models.
 * @param baseUrl such as `http://127.0.0.1:11434`; null looks nowhere
 * @param now milliseconds, for tests
 */
export function createOllamaLook(
  baseUrl: string | null,
  now: () => number = () => performance.now(),
): OllamaLook {
  let last: { at: number; answer: Promise<OllamaFound | null> } | undefined;
  return {
    find() {
      if (baseUrl === null) return Promise.resolve(null);
      if (last === undefined || now() - last.at > keptMs) {
        last = { at: now(), answer: ask(baseUrl) };
      }
      return last.answer;
    },
  };
}

async function ask(baseUrl: string): Promise<OllamaFound | null> {
  try {
    const response = await fetch(`${baseUrl}/api/tags`, {
      signal: AbortSignal.timeout(timeoutMs),
      redirect: "error",
    });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      return null;
    }
    return readTags(baseUrl, JSON.parse(await readBounded(response.body)));
  } catch {
    // Nothing listens, something else listens, or it is too slow: all mean that there is no Ollama to name.
    return null;
  }
}

async function readBounded(body: ReadableStream<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.byteLength;
    if (size > maxBodyBytes) throw new RangeError("the list of models is too long");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function readTags(baseUrl: string, tags: unknown): OllamaFound | null {
  if (typeof tags !== "object" || tags === null || !("models" in tags)) return null;
  if (!Array.isArray(tags.models)) return null;
  const names = tags.models
    .map((model: unknown) =>
      typeof model === "object" && model !== null && "name" in model ? model.name : undefined,
    )
    .filter((name): name is string => typeof name === "string" && harmlessName.test(name));
  return { baseUrl, chatModel: names.find((name) => !notForChat.test(name)) ?? null };
}
