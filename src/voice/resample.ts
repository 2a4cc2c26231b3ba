import type { PcmAudio } from "./audio-format.ts";

/** Zero crossings of the filter on each side: enough that recognisers see no difference. */
const zeroCrossings = 16;
/** Tables for stranger ratios than this are approximated; audible to nobody. */
const maxPhases = 1_024;

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Filter taps for each position between two input samples. */
function phaseTables(phases: number, halfWidth: number, cutoff: number): Float64Array[] {
  return Array.from({ length: phases }, (_, phase) => {
    const taps = new Float64Array(2 * halfWidth);
    let sum = 0;
    for (let tap = 0; tap < taps.length; tap++) {
      const x = tap - halfWidth + 1 - phase / phases;
      const angle = Math.PI * x * cutoff;
      const sinc = angle === 0 ? 1 : Math.sin(angle) / angle;
      const window = 0.5 + 0.5 * Math.cos((Math.PI * x) / halfWidth);
      taps[tap] = sinc * Math.max(0, window);
      sum += taps[tap] ?? 0;
    }
    return taps.map((value) => value / sum);
  });
}

/** Changes the rate of a sound that comes in pieces, without a seam between them. */
export interface Resampler {
  /** The samples at the new rate that are certain by now. */
  push(samples: Int16Array): Int16Array;
  /** The rest: nothing follows. */
  flush(): Int16Array;
}

/** By windowed-sinc interpolation; what the new rate cannot carry is filtered out. Holds back a few milliseconds. */
export function createResampler(fromHz: number, toHz: number): Resampler {
  if (fromHz === toHz) return { push: (samples) => samples, flush: () => new Int16Array() };
  const ratio = fromHz / toHz;
  const cutoff = Math.min(1, 1 / ratio);
  const halfWidth = Math.ceil(zeroCrossings / cutoff);
  const exactPhases = toHz / greatestCommonDivisor(fromHz, toHz);
  const phases = Math.min(maxPhases, exactPhases);
  const tables = phaseTables(phases, halfWidth, cutoff);
  let held = new Int16Array();
  /** Of the whole sound: number of the first sample held, and of the next one to make. */
  let heldStart = 0;
  let next = 0;

  function make(until: number): Int16Array {
    const output = new Int16Array(Math.max(0, until - next));
    for (let index = 0; index < output.length; index++) {
      const position = (next + index) * ratio;
      let base = Math.floor(position);
      let phase = Math.round((position - base) * phases);
      if (phase === phases) {
        phase = 0;
        base++;
      }
      const taps = tables[phase] ?? new Float64Array();
      const first = base - halfWidth + 1 - heldStart;
      let sum = 0;
      for (let tap = 0; tap < taps.length; tap++) {
        sum += (taps[tap] ?? 0) * (held[first + tap] ?? 0);
      }
      output[index] = Math.max(-32_768, Math.min(32_767, Math.round(sum)));
    }
    next += output.length;
    return output;
  }

  return {
    push(samples) {
      const all = new Int16Array(held.length + samples.length);
      all.set(held);
      all.set(samples, held.length);
      held = all;
      const end = heldStart + held.length;
      const output = make(Math.floor((end - halfWidth - 1) / ratio));
      const unneeded = Math.floor(next * ratio) - halfWidth - heldStart;
      if (unneeded > 0) {
        held = held.slice(unneeded);
        heldStart += unneeded;
      }
      return output;
    },
    flush: () => make(Math.round((heldStart + held.length) / ratio)),
  };
}

/** The same sound at another rate. */
export function resample(audio: PcmAudio, sampleRateHz: number): PcmAudio {
  if (audio.sampleRateHz === sampleRateHz || audio.samples.length === 0) {
    return { samples: audio.samples, sampleRateHz };
  }
  const resampler = createResampler(audio.sampleRateHz, sampleRateHz);
  const [most, rest] = [resampler.push(audio.samples), resampler.flush()];
  const samples = new Int16Array(most.length + rest.length);
  samples.set(most);
  samples.set(rest, most.length);
  return { samples, sampleRateHz };
}
