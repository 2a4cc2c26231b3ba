import type { Requirement } from "../agents/agent-backend.ts";
import { cutText } from "../lib/clean-text.ts";
import type { Language } from "../problems/catalogue.ts";

/** So much of what a tool is to be called with is shown. */
export const maxArguments = 1_000;

/** What a person is asked who has to decide about a requirement of an agent. */
export function questionOf(
  agentId: string,
  { kind, tool, arguments: given }: Requirement,
  language: Language,
): string {
  const { fields: _, ...known } = given;
  const details = cutText(JSON.stringify(known), maxArguments);
  const texts = {
    confirm: {
      en: `${agentId} wants to use ${tool} with ${details}. May it?`,
      zh: `${agentId} 想使用 ${tool}，参数为 ${details}。是否允许？`,
    },
    input: {
      en: `${agentId} needs to know this for ${tool} ${details}.`,
      zh: `${agentId} 需要以下信息以继续 ${tool} ${details}。`,
    },
    external: {
      en: `${agentId} asks you to run ${tool} with ${details}, and what it returned.`,
      zh: `${agentId} 请您以参数 ${details} 运行 ${tool}，并告知其返回内容。`,
    },
  };
  return texts[kind][language];
}

/** Of what is asked for as input. */
export interface Field {
  readonly name: string;
  readonly type?: unknown;
  readonly description?: unknown;
}

/** The fields that a requirement asks for by their names. */
export function namedFields({ fields }: Requirement["arguments"]): Field[] {
  return Array.isArray(fields)
    ? fields.filter((field) => typeof (field as Field | null)?.name === "string")
    : [];
}
