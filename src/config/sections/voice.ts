import { baseUrl } from "../rules.ts";
import { boolean, choice, integer, list, number, secret, text, type Sections } from "../setting.ts";

/** Speech in and out. */
export const voiceSettings = {
  voice: {
    enabled: boolean("Speech in and out", true),
    api_url: text("OpenAI-compatible audio base URL, for both directions", null, { rule: baseUrl }),
    api_key: secret("Key for it", { isHeader: true }),
    retention_hours: number("How long spoken replies are kept", 24, { maximum: 87_600 }),
    max_listeners: integer("WebSockets that may send sound to this process at a time", 100, {
      minimum: 1,
    }),
    "stt.provider": choice(
      "auto: openai if api_url is set, then stt.command; else off",
      ["auto", "openai", "command", "sherpa", "off"],
      "auto",
    ),
    "stt.api_url": text("Speech recognition elsewhere than voice.api_url", null, { rule: baseUrl }),
    "stt.api_key": secret("Key for it", { isHeader: true }),
    "stt.model": text("Model name sent to the provider, or model folder for sherpa", null),
    "stt.language": text("Language when the caller names none, such as zh or en", null),
    "stt.command": list(
      "Preset (pocketsphinx, whisper-cli), or program and arguments with {input} {output} {language} {model}",
      [],
    ),
    "tts.provider": choice(
      "auto: openai if api_url is set, then tts.command, flite for English, espeak-ng, if installed, for Chinese",
      ["auto", "openai", "flite", "command", "sherpa", "off"],
      "auto",
    ),
    "tts.api_url": text("Speech synthesis elsewhere than voice.api_url", null, { rule: baseUrl }),
    "tts.api_key": secret("Key for it", { isHeader: true }),
    "tts.model": text("Model name sent to the provider, or model folder for sherpa", null),
    "tts.voice": text("Voice when the caller names none", null),
    "tts.voices": list("Voices offered when the provider has no list", []),
    "tts.language": text("Language of pieces whose language cannot be told", null),
    "tts.command": list(
      "Preset (espeak-ng, piper), or program and arguments with {text_file} {output} {voice} {speed} {language} {model}",
      [],
    ),
    "tts.pcm_sample_rate": integer("If set, ask for pcm and take this rate (Hz)", null, {
      minimum: 8_000,
      maximum: 192_000,
    }),
  },
} as const satisfies Sections;
