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

/** The same sound at another rate, by windowed-sinc interpolation; what the new rate cannot carry is filtered out. */
export function resample(audio: PcmAudio, sampleRateHz: number): PcmAudio {
  if (audio.sampleRateHz === sampleRateHz || audio.samples.length === 0) {
    return { samples: audio.samples, sampleRateHz };
  }
  const { samples } = audio;
  const ratio = audio.sampleRateHz / sampleRateHz;
  const cutoff = Math.min(1, 1 / ratio);
  const halfWidth = Math.ceil(zeroCrossings / cutoff);
  const exactPhases = sampleRateHz / greatestCommonDivisor(audio.sampleRateHz, sampleRateHz);
  const phases = Math.min(maxPhases, exactPhases);
  const tables = phaseTables(phases, halfWidth, cutoff);
  const output = new Int16Array(Math.round(samples.length / ratio));
  for (let index = 0; index < output.length; index++) {
    const position = index * ratio;
    let base = Math.floor(position);
    let phase = Math.round((position - base) * phases);
    if (phase === phases) {
      phase = 0;
      base++;
    }
    const taps = tables[phase] ?? new Float64Array();
    const first = base - halfWidth + 1;
    let sum = 0;
    for (let tap = 0; tap < taps.length; tap++) {
      sum += (taps[tap] ?? 0) * (samples[first + tap] ?? 0);
    }
    output[index] = Math.max(-32_768, Math.min(32_767, Math.round(sum)));
  }
  return { samples: output, sampleRateHz };
}
