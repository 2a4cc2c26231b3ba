import type { VoiceDescription } from "../../text-to-speech.ts";

/** A program for recognition whose command line is known. */
export interface RecognitionPreset {
  /** Names under which it may be installed, best first, and the arguments of each. */
  readonly programs: readonly { readonly name: string; readonly args: readonly string[] }[];
  /** Primary tags; `any` where the model decides. */
  readonly languages: readonly string[] | "any";
  readonly needsModel: boolean;
  /** Silence put around the recording, in milliseconds. */
  readonly paddingMs: number;
}

/** A program for speech whose command line is known. */
export interface SynthesisPreset {
  readonly programs: readonly { readonly name: string; readonly args: readonly string[] }[];
  readonly languages: readonly string[] | "any";
  readonly needsModel: boolean;
  readonly voices: readonly VoiceDescription[];
  /** Of `{voice}` where the caller names none. */
  defaultVoice(language: string): string;
  /** What `{speed}` is to be for a pace of 1 = normal. */
  speedValue(speed: number): string;
}

/** In `stt.command`. */
export const recognitionPresets: Readonly<Record<string, RecognitionPreset>> = {
  pocketsphinx: {
    programs: [
      {
        name: "pocketsphinx_continuous",
        args: ["-infile", "{input}", "-logfn", "/dev/null"],
      },
      // From version 5 on: writes JSON.
      { name: "pocketsphinx", args: ["single", "{input}"] },
    ],
    languages: ["en"],
    needsModel: false,
    // It swallows words that begin at once.
    paddingMs: 300,
  },
  "whisper-cli": {
    programs: [
      {
        name: "whisper-cli",
        args: ["-m", "{model}", "-l", "{language}", "-nt", "-np", "-f", "{input}"],
      },
    ],
    languages: "any",
    needsModel: true,
    paddingMs: 0,
  },
};

/** espeak-ng's own pace, in words a minute. */
const usualWordsPerMinute = 175;

/** Its voice `cmn` reads Han characters as pinyin spelled in English; this one does not. */
const mandarin = "cmn-latn-pinyin";

/** In `tts.command`. */
export const synthesisPresets: Readonly<Record<string, SynthesisPreset>> = {
  "espeak-ng": {
    programs: [
      {
        name: "espeak-ng",
        args: ["-v", "{voice}", "-s", "{speed}", "-b", "1", "-f", "{text_file}", "-w", "{output}"],
      },
    ],
    languages: "zh en de fr es it pt nl pl ru uk tr cs sv".split(" "),
    needsModel: false,
    voices: [
      { id: `${mandarin}+f2`, name: "Mandarin, female", language: "zh" },
      { id: `${mandarin}+m3`, name: "Mandarin, male", language: "zh" },
      { id: "en-us+f3", name: "English (US), female", language: "en" },
      { id: "en-us+m3", name: "English (US), male", language: "en" },
      { id: "en-gb+f3", name: "English (GB), female", language: "en" },
      { id: "de+f3", name: "German, female", language: "de" },
      { id: "fr+f3", name: "French, female", language: "fr" },
      { id: "es+f3", name: "Spanish, female", language: "es" },
      { id: "it+f3", name: "Italian, female", language: "it" },
      { id: "pt+f3", name: "Portuguese, female", language: "pt" },
      { id: "ru+f3", name: "Russian, female", language: "ru" },
    ],
    defaultVoice(language) {
      if (language === "zh") return `${mandarin}+f2`;
      return language === "en" ? "en-us+f3" : `${language}+f3`;
    },
    // It takes 80 to 450 words a minute.
    speedValue: (speed) =>
      String(Math.round(Math.max(80, Math.min(450, usualWordsPerMinute * speed)))),
  },
  piper: {
    programs: [
      {
        name: "piper",
        args: ["--model", "{model}", "--length_scale", "{speed}", "--output_file", "{output}"],
      },
    ],
    languages: "any",
    needsModel: true,
    voices: [],
    defaultVoice: () => "",
    speedValue: (speed) => (1 / speed).toFixed(3),
  },
};
