import { tokensOfText } from "../../tokens-of-text.ts";
import type { ChatMessage, ContentPart } from "./chat-protocol.ts";

/** What a picture costs: providers take from 85 to 1,600. */
export const tokensOfImage = 1_000;
/** Names of roles and what templates put around each message. */
const tokensOfFrame = 4;

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

/** The beginning of a text that has about so many tokens. */
export function cutTo(text: string, tokens: number): string {
  const all = tokensOfText(text);
  if (all <= tokens) return text;
  return text.slice(0, Math.floor((text.length * tokens) / all)).toWellFormed();
}
