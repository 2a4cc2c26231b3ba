import type { Language } from "../../../problems/catalogue.ts";
import { localized } from "./agents.ts";
import type { ToolDefinition } from "./chat-protocol.ts";
import type { ModelAgent } from "./default-agents.ts";

/** An agent as another one is offered it: a function that takes a task and returns the answer. */
export interface Colleague {
  readonly agent: ModelAgent;
  readonly definition: ToolDefinition;
}

/** What a colleague of this id is called by, unless that name says nothing or is taken. */
export function functionNameOf(id: string): string {
  return `ask_${id.replace(/[^\w-]/g, "_")}`.slice(0, 64);
}

/** The agents that this one may delegate to. Function names are limited to ASCII: other ids are numbered. */
export function colleaguesOf(
  agent: ModelAgent,
  agents: ReadonlyMap<string, ModelAgent>,
  /** Those who wait for an answer already: asking them again would never end. */
  chain: readonly string[],
  language: Language,
): readonly Colleague[] {
  const names = new Set<string>();
  return agent.handoffs.flatMap((id, index) => {
    const colleague = agents.get(id);
    if (!colleague || chain.includes(id)) return [];
    const slug = functionNameOf(id);
    const name = names.has(slug) || !/[A-Za-z0-9]/.test(slug.slice(4)) ? `ask_${index + 1}` : slug;
    names.add(name);
    const title = localized(colleague.name, language);
    const about = localized(colleague.description, language);
    return [
      {
        agent: colleague,
        definition: {
          type: "function" as const,
          function: {
            name,
            description:
              language === "zh"
                ? `把一项任务交给“${title}”并取得其回答。${about}`
                : `Gives a task to ${title} and returns the answer. ${about}`.trim(),
            parameters: {
              type: "object",
              properties: {
                task: {
                  type: "string",
                  description:
                    language === "zh"
                      ? "任务的完整描述；对方能看到本次对话。"
                      : "The task, in full; the colleague sees the conversation so far.",
                },
              },
              required: ["task"],
            },
          },
        },
      },
    ];
  });
}
