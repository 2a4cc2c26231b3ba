import type { PcmAudio } from "../../audio-format.ts";
import type { ModelConfig } from "./model-files.ts";

/** What the child process is asked. The first question loads a model; nothing else comes before it is answered. */
export type ChildQuestion =
  | { readonly id: number; readonly kind: "load"; readonly config: ModelConfig }
  | { readonly id: number; readonly kind: "recognize"; readonly audio: PcmAudio }
  | {
      readonly id: number;
      readonly kind: "speak";
      readonly text: string;
      readonly speaker: number;
      readonly speed: number;
    }
  /** Nobody wants the answer to this question any more; it is answered all the same. */
  | { readonly id: number; readonly kind: "cancel"; readonly question: number };

export type ChildAnswer =
  | { readonly id: number; readonly kind: "loaded"; readonly speakers: number }
  | {
      readonly id: number;
      readonly kind: "text";
      readonly text: string;
      /** Primary tag, where the model tells. */
      readonly language: string | null;
    }
  | { readonly id: number; readonly kind: "sound"; readonly audio: PcmAudio }
  | { readonly id: number; readonly kind: "fault"; readonly fault: string };
