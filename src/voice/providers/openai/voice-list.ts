import type { Logger } from "../../../telemetry/logger.ts";
import type { VoiceDescription } from "../../text-to-speech.ts";
import type { SpeechServer } from "./speech-server.ts";

const keptMs = 300_000;
/** After a list could not be had, before it is asked for again. */
const retryMs = 30_000;
const maxBytes = 1024 * 1024;
const maxVoices = 1_000;
const timeoutMs = 5_000;

/** The server's voices, remembered for five minutes; without such a list the configured ones. */
export function createVoiceList(
  server: SpeechServer,
  configured: readonly string[],
  logger: Logger,
) {
  const fallback = configured.map((id) => ({ id, name: id, language: null }));
  let known: readonly VoiceDescription[] | null = null;
  let freshUntil = 0;

  return {
    /** Never raises but for the signal. */
    async voices(signal: AbortSignal): Promise<readonly VoiceDescription[]> {
      signal.throwIfAborted();
      if (performance.now() < freshUntil) return known ?? fallback;
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      try {
        const answer = await server.call({ method: "GET", path: "/audio/voices", signal: bounded });
        const body = await answer.text(maxBytes);
        const voices = answer.status === 200 ? readVoices(JSON.parse(body)) : [];
        known = voices.length > 0 ? voices : null;
        freshUntil = performance.now() + keptMs;
      } catch (error) {
        signal.throwIfAborted();
        logger.debug({ err: error }, "the list of voices could not be had");
        freshUntil = performance.now() + retryMs;
      }
      return known ?? fallback;
    },
  };
}

/** Three shapes: `{voices: ["a"]}`, `{voices: [{id, name}]}`, `{object: "list", voices | data: [...]}`. */
function readVoices(value: unknown): VoiceDescription[] {
  const fields = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const items = [value, fields["voices"], fields["data"]].find(Array.isArray) ?? [];
  return items.slice(0, maxVoices).flatMap((item: unknown): VoiceDescription[] => {
    if (typeof item === "string")
      return item === "" ? [] : [{ id: item, name: item, language: null }];
    const voice = (typeof item === "object" && item !== null ? item : {}) as Record<
      string,
      unknown
    >;
    const text = (key: string) =>
      typeof voice[key] === "string" && voice[key] !== "" ? voice[key] : null;
    const id = text("id") ?? text("voice_id") ?? text("name");
    if (id === null) return [];
    const language = text("language") ?? text("lang");
    return [
      {
        id,
        name: text("name") ?? id,
        language: language?.split(/[-_]/, 1)[0]?.toLowerCase() ?? null,
      },
    ];
  });
}
