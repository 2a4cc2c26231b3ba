/* oxlint-disable no-underscore-dangle -- these are the names that the WebAssembly module exports */
import createFvad from "@echogarden/fvad-wasm";
import { recognitionRateHz } from "../../audio-format.ts";
import { activityFrameMs, type VoiceActivityDetector } from "../../voice-activity-detector.ts";

const frameSamples = (recognitionRateHz * activityFrameMs) / 1000;
/** The strictest: what is no voice costs a call to the recogniser, which then invents words. */
const strictMode = 3;

/** The detector of WebRTC in WebAssembly: 15 KB, no model, half a millisecond for a second of sound. */
export async function createFvadDetector(): Promise<VoiceActivityDetector> {
  const fvad = await createFvad();
  return {
    open() {
      const instance = fvad._fvad_new();
      const frame = fvad._malloc(frameSamples * 2);
      if (!instance || !frame) throw new Error("the voice activity detector is out of memory");
      fvad._fvad_set_mode(instance, strictMode);
      fvad._fvad_set_sample_rate(instance, recognitionRateHz);
      let rest = new Int16Array();
      let open = true;
      return {
        push(samples) {
          if (!open) throw new Error("the activity stream is closed");
          const all = new Int16Array(rest.length + samples.length);
          all.set(rest);
          all.set(samples, rest.length);
          const verdicts: boolean[] = [];
          let offset = 0;
          for (; offset + frameSamples <= all.length; offset += frameSamples) {
            fvad.HEAP16.set(all.subarray(offset, offset + frameSamples), frame >> 1);
            verdicts.push(fvad._fvad_process(instance, frame, frameSamples) === 1);
          }
          rest = all.slice(offset);
          return verdicts;
        },
        close() {
          if (!open) return;
          open = false;
          fvad._fvad_free(instance);
          fvad._free(frame);
        },
      };
    },
  };
}
