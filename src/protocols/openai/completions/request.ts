import type { Static } from "typebox";
import type { Decision } from "../../../agents/agent-backend.ts";
import { isId } from "../../../lib/ids.ts";
import { Problem } from "../../../problems/problem.ts";
import type { EarlierMessage } from "../../../replies/lifecycle/acceptance.ts";
import { readContent, textOfContent } from "../content.ts";
import { callsNone } from "../settings.ts";
import { faulty } from "../../faulty.ts";
import { checkSaid, type Said } from "../../said.ts";
import type { completionBody } from "./schemas.ts";

export type CompletionBody = Static<typeof completionBody>;

/** What is asked: a turn, or the answers that a paused reply waits for. */
export type CompletionRequest =
  | {
      readonly kind: "turn";
      readonly said: Said;
      readonly earlier: readonly EarlierMessage[];
      /** Of the system, in their order; for this turn alone. */
      readonly instructions: string;
    }
  | {
      readonly kind: "decisions";
      readonly messageId: string;
      readonly answers: readonly Pick<Decision, "id" | "result">[];
    };

const ownTools = {
  en: "agents use the tools that they have here (docs/openai.md says where front ends offer theirs)",
  zh: "智能体只使用其在此处配置的工具（前端自带工具的关闭方法见 docs/openai.md）",
};
const oneAnswer = { en: "an agent gives one answer", zh: "智能体每次只给出一个回答" };
const noLogprobs = {
  en: "agents do not tell how likely their words were",
  zh: "智能体不提供词元的概率",
};
const textAlone = { en: "answers are text", zh: "回答仅为文本" };

/** Members that nothing here does; a caller who needs them has to know. */
const refused: readonly (readonly [
  name: string,
  isHarmless: (value: unknown) => boolean,
  why: { readonly en: string; readonly zh: string },
])[] = [
  ["tools", isEmpty, ownTools],
  ["functions", isEmpty, ownTools],
  ["n", (value) => value === 1, oneAnswer],
  ["logprobs", (value) => value === false, noLogprobs],
  ["top_logprobs", (value) => value === 0, noLogprobs],
  ["audio", () => false, textAlone],
  [
    "modalities",
    (value) => Array.isArray(value) && value.every((each) => each === "text"),
    textAlone,
  ],
];

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Raises `unsupported_parameter` for what cannot be done. */
export function refuseUnsupported(body: object): void {
  const given = body as Readonly<Record<string, unknown>>;
  for (const [parameter, isHarmless, why] of refused) {
    const value = given[parameter];
    if (value === undefined || value === null || isHarmless(value)) continue;
    if (parameter === "tools" && callsNone(given)) continue;
    throw new Problem("unsupported_parameter", { parameter, ...why });
  }
}

/** Raises `bad_request` and `unsupported_parameter`. */
export function readCompletion(
  body: CompletionBody,
  limits: { readonly maxMessageLength: number; readonly maxUploadBytes: number },
): CompletionRequest {
  refuseUnsupported(body);
  const { messages } = body;
  const last = messages.at(-1);
  if (last?.role === "tool") return { kind: "decisions", ...readAnswers(messages) };
  if (last?.role !== "user") {
    throw faulty("/messages", "must end with a message of the user", "必须以用户消息结尾");
  }
  const path = `/messages/${messages.length - 1}/content`;
  const said = readContent(last.content, path, limits.maxUploadBytes);
  checkSaid(said, path, limits.maxMessageLength);
  const before = messages.slice(0, -1);
  return {
    kind: "turn",
    said,
    earlier: before.flatMap(({ role, content }): EarlierMessage[] => {
      const text = textOfContent(content);
      return (role === "user" || role === "assistant") && text.trim() !== ""
        ? [{ role, text }]
        : [];
    }),
    instructions: messages
      .filter(({ role }) => role === "system" || role === "developer")
      .map(({ content }) => textOfContent(content))
      .filter((text) => text.trim() !== "")
      .join("\n\n"),
  };
}

/** A call of a tool that its client runs: which reply waits for it, and for what. */
export function callIdOf(messageId: string, requirementId: string): string {
  return `call_${messageId.replaceAll("-", "")}_${requirementId}`;
}

const callId = /^call_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})_([^]+)$/i;

function readAnswers(messages: CompletionBody["messages"]) {
  const first = messages.findLastIndex(({ role }) => role !== "tool") + 1;
  const answers: Pick<Decision, "id" | "result">[] = [];
  let messageId = "";
  for (const [index, { tool_call_id: given, content }] of messages.entries()) {
    if (index < first) continue;
    const [, ...parts] = callId.exec(given ?? "") ?? [];
    const [requirementId] = parts.splice(5);
    const id = parts.join("-");
    if (requirementId === undefined || !isId(id) || (messageId !== "" && messageId !== id)) {
      const path = `/messages/${index}/tool_call_id`;
      throw faulty(path, "is no call of an answer from here", "不是此处某次回复的工具调用");
    }
    messageId = id;
    answers.push({ id: requirementId, result: textOfContent(content) });
  }
  return { messageId, answers };
}
