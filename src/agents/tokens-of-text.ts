import { estimateTokenCount } from "tokenx";

/** Of longer texts only parts are looked at, so that a prompt costs the same however long it is. */
const longest = 24 * 1024;
const sampleLength = 4 * 1024;
const samples = 4;

/** About how many tokens a text is, for no model in particular; what models report corrects it. */
export function tokensOfText(text: string): number {
  if (text.length <= longest) return estimateTokenCount(text);
  let tokens = 0;
  for (let sample = 0; sample < samples; sample += 1) {
    const start = Math.floor(((text.length - sampleLength) * sample) / (samples - 1));
    tokens += estimateTokenCount(text.slice(start, start + sampleLength));
  }
  return Math.ceil((tokens * text.length) / (samples * sampleLength));
}
