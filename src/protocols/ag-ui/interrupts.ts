import type { Decision, Requirement } from "../../agents/agent-backend.ts";
import { isId } from "../../lib/ids.ts";
import { faulty } from "../faulty.ts";

const maxMessageLength = 500;

/** What a paused reply waits for; its id says which reply. */
export function interruptOf(messageId: string, { id, kind, tool, arguments: given }: Requirement) {
  const told = `${tool} ${JSON.stringify(given)}`;
  const responseSchema = schemaOf(kind, given);
  return {
    id: `${messageId}_${id}`,
    reason: kind,
    message: told.length > maxMessageLength ? `${told.slice(0, maxMessageLength)}…` : told,
    ...(responseSchema !== null && { responseSchema }),
    metadata: { chat_service: { message_id: messageId, tool, arguments: given } },
  };
}

/** What a payload has to be; null: it is whatever the tool gives. */
function schemaOf(kind: Requirement["kind"], given: Requirement["arguments"]): object | null {
  if (kind === "confirm") {
    return {
      type: "object",
      properties: { approved: { type: "boolean" }, note: { type: "string" } },
      required: ["approved"],
    };
  }
  if (kind === "external") return null;
  const { fields } = given as { fields?: unknown };
  const names = (Array.isArray(fields) ? fields : []).flatMap((field: unknown) => {
    const { name } = (field ?? {}) as { name?: unknown };
    return typeof name === "string" ? [name] : [];
  });
  return { type: "object", properties: Object.fromEntries(names.map((name) => [name, {}])) };
}

const maxInterrupts = 100;

/** Which reply goes on, and with what. Raises `bad_request`. */
export function readResume(resume: unknown): {
  readonly messageId: string;
  readonly decisions: readonly Decision[];
} {
  if (!Array.isArray(resume) || resume.length > maxInterrupts) {
    throw faulty("/resume", "must be a list of answers to interrupts", "必须是对中断的回答列表");
  }
  const decisions: Decision[] = [];
  let messageId = "";
  for (const [index, given] of resume.entries()) {
    const { interruptId, status, payload } = (given ?? {}) as Readonly<Record<string, unknown>>;
    const [, of = "", id = ""] =
      /^([0-9a-f-]{36})_([^]+)$/i.exec(typeof interruptId === "string" ? interruptId : "") ?? [];
    if (!isId(of) || (messageId !== "" && messageId !== of)) {
      const path = `/resume/${index}/interruptId`;
      throw faulty(path, "is no interrupt of a run from here", "不是此处某次运行的中断");
    }
    if (status !== "resolved" && status !== "cancelled") {
      const path = `/resume/${index}/status`;
      throw faulty(path, "must be resolved or cancelled", "必须是 resolved 或 cancelled");
    }
    messageId = of;
    decisions.push(decisionOf(id, status === "resolved", payload));
  }
  return { messageId: messageId.toLowerCase(), decisions };
}

function decisionOf(id: string, isResolved: boolean, payload: unknown): Decision {
  const said = (typeof payload === "object" && payload !== null ? payload : {}) as {
    approved?: unknown;
    note?: unknown;
  };
  const approved = isResolved && payload !== false && said.approved !== false;
  return {
    id,
    approved,
    ...(typeof said.note === "string" && said.note !== "" && { note: said.note }),
    ...(payload !== undefined && payload !== null && { result: payload }),
  };
}
