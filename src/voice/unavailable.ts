import { Problem } from "../problems/problem.ts";

/** Why there is no speech, for callers and operators alike: each names what to do. */
const remedies = {
  off: {
    en: "Speech is switched off here (voice.enabled).",
    zh: "语音功能已关闭（voice.enabled）。",
  },
  recognition: {
    en: "No speech recognition is configured. Set voice.api_url to an OpenAI-compatible speech service, or voice.stt.command to a local program: see docs/voice.md.",
    zh: "未配置语音识别。请将 voice.api_url 设为兼容 OpenAI 的语音服务，或将 voice.stt.command 设为本地程序，参见 docs/voice.md。",
  },
  synthesis: {
    en: "No speech synthesis is configured. Set voice.tts.provider or voice.api_url: see docs/voice.md.",
    zh: "未配置语音合成。请设置 voice.tts.provider 或 voice.api_url，参见 docs/voice.md。",
  },
  chinese: {
    en: "Nothing here speaks Chinese. Install the program espeak-ng, or set voice.api_url to a speech service: see docs/voice.md.",
    zh: "当前没有可用的中文语音合成。请安装 espeak-ng 程序，或将 voice.api_url 设为语音服务，参见 docs/voice.md。",
  },
  language: {
    en: "No voice here speaks this language. Set voice.api_url to a speech service that does: see docs/voice.md.",
    zh: "当前没有支持该语言的语音。请将 voice.api_url 设为支持该语言的语音服务，参见 docs/voice.md。",
  },
  busy: {
    en: "The speech engine is busy. Try again shortly.",
    zh: "语音引擎繁忙，请稍后重试。",
  },
  engine: {
    en: "The speech engine cannot be used at the moment. Try again shortly; the log says why.",
    zh: "语音引擎暂时不可用，请稍后重试；原因见日志。",
  },
} as const;

export type UnavailableReason = keyof typeof remedies;

/** When to come back, in seconds: soon where it passes by itself, later where somebody has to do something. */
const comeBack: Partial<Record<UnavailableReason, number>> = { busy: 1, engine: 5 };
const muchLaterSeconds = 300;

export interface UnavailableOptions {
  readonly cause?: unknown;
  /** Where the engine itself said how long. */
  readonly retryAfterSeconds?: number | undefined;
}

/** 503 `voice_unavailable` that says what would help. */
export function voiceUnavailable(
  reason: UnavailableReason,
  options: UnavailableOptions = {},
): Problem<"voice_unavailable"> {
  const retryAfterSeconds = options.retryAfterSeconds ?? comeBack[reason] ?? muchLaterSeconds;
  return new Problem(
    "voice_unavailable",
    { remedy: remedies[reason] },
    {
      retryAfterSeconds,
      ...(options.cause === undefined ? {} : { cause: options.cause }),
    },
  );
}
