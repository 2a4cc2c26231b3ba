import { Problem } from "../../../problems/problem.ts";
import type { WritingRequest, Written } from "../../agent-backend.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";
import type { ChatMessage, Completion } from "./chat-protocol.ts";
import { refusalKindOf } from "./refusal.ts";
import { tokensOfText } from "../../tokens-of-text.ts";
import { cutTo } from "./token-estimate.ts";
import type { ConversationOptions } from "./turn.ts";

/** After the first one, each with half of the text. */
const maxRetries = 3;
/** Of the least room: instructions and frames. */
const leastTokens = 64;

/** A model writes a text by itself. What is too long for it, whichever way it says so, is sent again by half. */
export async function writeText(
  request: WritingRequest,
  { agents, router, windows }: Pick<ConversationOptions, "agents" | "router" | "windows">,
  signal: AbortSignal,
): Promise<Written> {
  const { agentId, userId, requestId, instructions } = request;
  const wanted = request.model ?? agents.get(agentId ?? "")?.model ?? null;
  const name = agentId ?? "";
  const route = await router.route(wanted, { agentId: name, userId }, signal);
  const model = route.model.id;
  const room = windows.roomFor(model, route.source.contextTokens?.(model) ?? null, undefined);
  for (let retry = 0; ; retry += 1) {
    const share = room / 2 ** retry - tokensOfText(instructions);
    const shown = fitPieces(request.pieces, Math.max(leastTokens, share));
    const messages: readonly ChatMessage[] = [
      { role: "system", content: instructions },
      { role: "user", content: shown.join("\n\n") },
    ];
    const estimatedTokens = messages.reduce(
      (sum, { content }) => sum + (typeof content === "string" ? tokensOfText(content) : 0),
      0,
    );
    let completion: Completion | null = null;
    try {
      completion = await route.source.complete(
        {
          model: route.model,
          messages,
          ownPictures: 0,
          tools: [],
          toolChoice: "none",
          settings: {},
          agentId: name,
          idempotencyKey: `${requestId}-${retry}`,
          headers: { "x-request-id": requestId },
        },
        signal,
      );
      return { ...(await read(completion, request.maxLength)), pieces: shown.length, model };
    } catch (error) {
      const fault = upstreamErrorOf(error);
      const isTooLong =
        (error instanceof Problem && error.type === "context_too_long") ||
        (fault !== null && refusalKindOf(fault) === "overflow");
      if (!isTooLong) throw error;
      windows.refused(model, estimatedTokens, fault?.bodyExcerpt ?? "");
      if (retry >= maxRetries) throw error;
    } finally {
      completion?.close();
    }
  }
}

/** As many as have room; of the first one as much as has. */
function fitPieces(pieces: readonly string[], room: number): readonly string[] {
  const shown: string[] = [];
  let left = room;
  for (const piece of pieces) {
    const tokens = tokensOfText(piece) + 2;
    if (tokens > left) {
      if (shown.length === 0) shown.push(cutTo(piece, left));
      break;
    }
    left -= tokens;
    shown.push(piece);
  }
  return shown;
}

async function read(
  completion: Completion,
  maxLength: number,
): Promise<Pick<Written, "text" | "usage">> {
  let text = "";
  let usage: Written["usage"] = null;
  for (let deltas = await completion.next(); deltas; deltas = await completion.next()) {
    for (const delta of deltas) {
      if (delta.type === "text") text += delta.text;
      else if (delta.type === "retract") text = "";
      else if (delta.type === "usage") usage = delta;
    }
    if (text.length > maxLength) break;
  }
  return { text: text.slice(0, maxLength), usage };
}
