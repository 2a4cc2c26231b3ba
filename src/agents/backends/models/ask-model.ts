import type { SentContext } from "../../agent-backend.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";
import type { ChatMessage, Completion, ModelDelta } from "./chat-protocol.ts";
import type { ContextWindows } from "./context-windows.ts";
import { fitPrompt, type FittedPrompt, type Prompt } from "./prompt.ts";
import { refusalKindOf } from "./refusal.ts";
import { tokensOfMessage } from "./token-estimate.ts";

/** An answer that has begun. */
export interface Asked {
  readonly completion: Completion;
  /** Its first deltas; null: it has none. */
  readonly first: readonly ModelDelta[] | null;
  readonly estimatedTokens: number;
  readonly context: SentContext;
}

interface Question {
  readonly model: string;
  readonly prompt: Prompt;
  /** What came after it in this reply: calls of tools and their results. */
  readonly rounds: readonly ChatMessage[];
  readonly roomTokens: number;
  readonly windows: ContextWindows;
  readonly send: (messages: readonly ChatMessage[]) => Promise<Completion>;
}

/** After the first one; the last of them goes without anything of the past. */
const maxRetries = 3;

/**
 * Asks with as much of the conversation as has room. Where that is too long for the model all the same, whichever way
 * it says so, it is asked again with half of the past, and at last with the message alone; the next prompts are shorter
 * from the beginning.
 */
export async function askModel(question: Question): Promise<Asked> {
  const { model, prompt, rounds, roomTokens, windows, send } = question;
  const tokensOfRounds = rounds.reduce((sum, message) => sum + tokensOfMessage(message), 0);
  let fitted = fitPrompt(prompt, roomTokens - tokensOfRounds);
  for (let retry = 0; ; retry += 1) {
    const estimatedTokens = fitted.tokens + tokensOfRounds;
    let completion: Completion | null = null;
    try {
      completion = await send([...fitted.messages, ...rounds]);
      const first = await completion.next();
      return {
        completion,
        first,
        estimatedTokens,
        context: contextOf(fitted, prompt, estimatedTokens),
      };
    } catch (error) {
      completion?.close();
      const fault = upstreamErrorOf(error);
      if (fault === null || refusalKindOf(fault) !== "overflow") throw error;
      windows.refused(model, estimatedTokens, fault.bodyExcerpt);
      if (fitted.turns.length === 0) throw error;
      const past = fitted.tokens - prompt.tokens;
      fitted = fitPrompt(prompt, retry < maxRetries - 1 ? prompt.tokens + past / 2 : 0);
    }
  }
}

function contextOf(
  { turns }: FittedPrompt,
  { past }: Prompt,
  estimatedTokens: number,
): SentContext {
  const count = (list: Prompt["past"]["turns"]) =>
    list.reduce((sum, { messages }) => sum + messages.length, 0);
  const sent = count(turns);
  return {
    messages: sent + 1,
    estimatedTokens,
    dropped: past.unread + count(past.turns) - sent,
    summarised: past.summarised,
  };
}
