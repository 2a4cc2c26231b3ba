import { programEnvironment } from "../../config/program-environment.ts";
import type { Config } from "../../config/settings.ts";
import type { VoiceEngines } from "../../voice/create-voice.ts";
import type { SpeechToText } from "../../voice/speech-to-text.ts";
import type { TextToSpeech } from "../../voice/text-to-speech.ts";
import { createVoiceEngines } from "../../voice/providers/voice-engines.ts";
import { silentLogger } from "../../telemetry/logger.ts";
import type { Finding } from "./finding.ts";

const timeoutMs = 15_000;

/** Both directions of speech: whether there is an engine, and whether it works. */
export async function checkSpeech(config: Config): Promise<Finding[]> {
  if (!config.voice.enabled) {
    return [{ name: "speech", status: "off", found: "voice.enabled is false" }];
  }
  const made = await makeEngines(config);
  if ("fault" in made) {
    return [
      {
        name: "speech",
        status: "fail",
        found: made.fault,
        remedy: "Correct the settings under voice; see docs/voice.md",
      },
    ];
  }
  const { engines } = made;
  try {
    const directions = await Promise.all([
      checkDirection(
        "speech in",
        engines.speechToText,
        "Set VOICE_API_URL to an OpenAI-compatible audio endpoint, or VOICE_STT_PROVIDER; see docs/voice.md",
      ),
      checkDirection(
        "speech out",
        engines.textToSpeech,
        "apt-get install espeak-ng, or set VOICE_API_URL or VOICE_TTS_PROVIDER; see docs/voice.md",
      ),
    ]);
    const missing = engines.missing.map(({ name, effect, install }): Finding => ({
      name,
      status: "warn",
      found: `not installed: ${effect}`,
      remedy: install,
    }));
    return [...directions, ...missing];
  } finally {
    await Promise.all(
      [...engines.speechToText, ...engines.textToSpeech].map((engine) => engine.close()),
    );
    await engines.close();
  }
}

/** What an engine needs is looked for when it is made, and told in words for the operator. */
async function makeEngines(config: Config): Promise<{ engines: VoiceEngines } | { fault: string }> {
  try {
    const engines = await createVoiceEngines({
      settings: config.voice,
      environment: programEnvironment(),
      logger: silentLogger,
    });
    return { engines };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}

async function checkDirection(
  name: string,
  engines: readonly (SpeechToText | TextToSpeech)[],
  remedy: string,
): Promise<Finding> {
  if (engines.length === 0) return { name, status: "off", found: `no engine. ${remedy}` };
  const signal = AbortSignal.timeout(timeoutMs);
  const healths = await Promise.all(engines.map((engine) => engine.probe(signal)));
  const told = engines
    .map(({ provider, languages }, index) => {
      const works = healths[index]?.status === "healthy" ? "works" : "does not work";
      const spoken = languages === "any" ? "any language" : languages.join(", ");
      return `${provider} ${works} (${spoken})`;
    })
    .join(", ");
  const working = healths.filter(({ status }) => status === "healthy").length;
  if (working === engines.length) return { name, status: "ok", found: told };
  return { name, status: working === 0 ? "fail" : "warn", found: told, remedy };
}
