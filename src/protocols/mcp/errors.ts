import type { ErrorShape } from "../../http/errors.ts";
import type { Language } from "../../problems/catalogue.ts";
import type { Problem } from "../../problems/problem.ts";
import { textOf } from "../json-rpc.ts";

/** Errors of the door itself, before a tool is reached, as JSON-RPC has them. */
export const mcpErrors: ErrorShape = {
  prefix: "/mcp/",
  body: (problem, language) => ({
    jsonrpc: "2.0",
    id: null,
    error: {
      code: codeOf(problem),
      message: textOf(problem, language),
      data: { type: problem.type },
    },
  }),
  headers: () => ({}),
};

function codeOf({ type, status }: Problem): number {
  if (type === "malformed_json") return -32_700;
  if (status >= 500) return -32_603;
  return type === "validation_failed" || type === "bad_request" ? -32_600 : -32_000;
}

/** What one does next, where a problem does not say it itself. */
const remedies: Partial<Record<Problem["type"], Readonly<Record<Language, string>>>> = {
  agent_not_found: {
    en: "Call list_agents for the agents there are.",
    zh: "请调用 list_agents 查看可用的智能体。",
  },
  session_not_found: {
    en: "Call list_sessions for the conversations there are, or ask_agent without session_id to begin one.",
    zh: "请调用 list_sessions 查看已有会话，或在不带 session_id 的情况下调用 ask_agent 开始新会话。",
  },
  message_not_found: {
    en: "Call read_session for the messages of a conversation.",
    zh: "请调用 read_session 查看会话中的消息。",
  },
  message_not_running: {
    en: "Call read_reply to see how it ended.",
    zh: "请调用 read_reply 查看其结果。",
  },
  session_archived: {
    en: "Call ask_agent without session_id to begin another conversation.",
    zh: "请在不带 session_id 的情况下调用 ask_agent 开始新会话。",
  },
};

/** A problem as the result of a tool: the model reads it and does something else. */
export function toolError(problem: Problem, language: Language, said = "") {
  const remedy = remedies[problem.type]?.[language];
  const text = [textOf(problem, language), ...(remedy === undefined ? [] : [remedy])].join("\n");
  return {
    isError: true,
    content: [
      { type: "text" as const, text: `${text} (${problem.type})` },
      ...(said === "" ? [] : [{ type: "text" as const, text: said }]),
    ],
    _meta: {
      "chat-service/error_type": problem.type,
      ...(problem.retryAfterSeconds !== undefined && {
        "chat-service/retry_after_seconds": Math.ceil(problem.retryAfterSeconds),
      }),
    },
  };
}
