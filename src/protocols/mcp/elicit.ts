import {
  CLIENT_CAPABILITIES_META_KEY,
  inputRequired,
  type BooleanSchema,
  type ClientCapabilities,
  type InputRequiredResult,
  type NumberSchema,
  type ServerContext,
  type StringSchema,
} from "@modelcontextprotocol/server";
import type { Decision, Requirement } from "../../agents/agent-backend.ts";
import { cutText } from "../../lib/clean-text.ts";
import { isId } from "../../lib/ids.ts";
import type { Language } from "../../problems/catalogue.ts";
import { maxArguments, namedFields, questionOf } from "../question.ts";

/** What a person was asked in the course of a call, and has said. */
export interface Asked {
  readonly messageId: string;
  readonly responses: Readonly<Record<string, unknown>>;
}

type Fields = Record<string, BooleanSchema | NumberSchema | StringSchema>;

/** What comes back with a call that was to be asked about; null: it is a new one. It is checked like any other id. */
export function askedBefore({ mcpReq }: ServerContext): Asked | null {
  const messageId = mcpReq.requestState<string>();
  if (typeof messageId !== "string" || !isId(messageId)) return null;
  return { messageId, responses: mcpReq.inputResponses ?? {} };
}

/** Asks the person what a paused reply waits for; null where the client cannot. */
export function ask(
  { mcpReq }: ServerContext,
  reply: {
    readonly replyId: string;
    readonly agentId: string;
    readonly requirements: readonly Requirement[];
  },
  language: Language,
): InputRequiredResult | null {
  const envelope = mcpReq.envelope as Readonly<Record<string, unknown>> | undefined;
  const capabilities = envelope?.[CLIENT_CAPABILITIES_META_KEY] as ClientCapabilities | undefined;
  const elicitation = capabilities?.elicitation;
  // One that says nothing of forms nor of addresses means forms.
  if (elicitation === undefined || (elicitation.url && !elicitation.form)) return null;
  const questions = reply.requirements.map((requirement) => [
    requirement.id,
    inputRequired.elicit({
      message: questionOf(reply.agentId, requirement, language),
      requestedSchema: {
        type: "object",
        properties: fieldsOf(requirement),
        required: requirement.kind === "confirm" ? ["approve"] : Object.keys(fieldsOf(requirement)),
      },
    }),
  ]);
  return inputRequired({
    inputRequests: Object.fromEntries(questions) as NonNullable<
      InputRequiredResult["inputRequests"]
    >,
    requestState: reply.replyId,
  });
}

/** What was said, as decisions; null: about something nothing was. */
export function decisionsOf(
  { responses }: Asked,
  requirements: readonly Requirement[],
): Decision[] | null {
  const decisions = requirements.map((requirement) => decisionOf(responses, requirement));
  const made = decisions.filter((decision) => decision !== null);
  return made.length === 0 || made.length < decisions.length ? null : made;
}

function decisionOf(
  responses: Asked["responses"],
  { id, kind, arguments: given }: Requirement,
): Decision | null {
  const { action, content = {} } = (responses[id] ?? {}) as {
    action?: unknown;
    content?: Record<string, unknown>;
  };
  if (action === "decline") return { id, approved: false };
  if (action !== "accept") return null;
  if (kind === "confirm") return { id, approved: content["approve"] === true };
  const isNamed = kind === "input" && namedFields(given).length > 0;
  return { id, approved: true, result: isNamed ? content : content["result"] };
}

function fieldsOf({ kind, arguments: given }: Requirement): Fields {
  if (kind === "confirm") return { approve: { type: "boolean" } };
  const named = kind === "input" ? namedFields(given) : [];
  if (named.length === 0) return { result: { type: "string" } };
  return Object.fromEntries(
    named.map(({ name, type, description }) => [
      name,
      {
        type: typeOf(type),
        ...(typeof description === "string" && { title: cutText(description, maxArguments) }),
      },
    ]),
  );
}

/** Frameworks name types as their languages do. */
function typeOf(type: unknown): "string" | "number" | "boolean" {
  const name = String(type).toLowerCase();
  if (name.startsWith("bool")) return "boolean";
  return /^(int|float|num|double|decimal)/.test(name) ? "number" : "string";
}
