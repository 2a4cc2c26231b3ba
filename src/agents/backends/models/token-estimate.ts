import { estimateTokenCount } from "tokenx";
import type { ChatMessage, ContentPart } from "./chat-protocol.ts";

/** What a picture costs: providers take from 85 to 1,600. */
export const tokensOfImage = 1_000;
/** Names of roles and what templates put around each message. */
const tokensOfFrame = 4;

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

export function tokensOfContent(content: string | readonly ContentPart[] | null): number {
  if (content === null) return tokensOfFrame;
  if (typeof content === "string") return tokensOfFrame + tokensOfText(content);
  return content.reduce(
    (tokens, part) => tokens + (part.type === "text" ? tokensOfText(part.text) : tokensOfImage),
    tokensOfFrame,
  );
}

/** With calls of tools and whatever else goes along. */
export function tokensOfMessage(message: ChatMessage): number {
  const { role: _role, content, ...others } = message;
  const rest = Object.keys(others).length === 0 ? 0 : tokensOfText(JSON.stringify(others));
  return tokensOfContent(content) + rest;
}
