import type { Catalogue } from "../../../agents/catalogue.ts";
import { localized } from "../../../agents/localized.ts";
import { decodeCursor, encodeCursor } from "../../../http/cursor.ts";
import { cutText } from "../../../lib/clean-text.ts";
import { maxAgents } from "../schemas.ts";
import { page, type Args, type Call, type Result } from "./tool.ts";

export interface AgentToolParts {
  readonly catalogue: Pick<Catalogue, "seenBy">;
}

const maxDescription = 500;
const maxPrompts = 5;

/** Who one can ask. */
export function agentTools({ catalogue }: AgentToolParts) {
  return {
    async list_agents({ exchange }: Call, { cursor }: Args<"list_agents">) {
      const { language } = exchange.request;
      const all = catalogue.seenBy(exchange.request).list();
      const from =
        cursor === undefined
          ? 0
          : all.findIndex(({ agentId }) => agentId === decodeCursor(cursor, isAgent).agentId) + 1;
      const some = all.slice(from, from + maxAgents);
      const last = some.at(-1);
      const isMore = last !== undefined && from + some.length < all.length;
      return page<Result<"list_agents">>({
        agents: some.map(({ agentId, descriptor, status }) => ({
          agent_id: agentId,
          name: localized(descriptor.name, language),
          description: cutText(localized(descriptor.description, language), maxDescription),
          type: descriptor.type,
          status,
          tools: [...descriptor.tools],
          suggested_prompts: (descriptor.prompts ?? [])
            .slice(0, maxPrompts)
            .map((prompt) => cutText(prompt, maxDescription)),
        })),
        next_cursor: isMore ? encodeCursor({ agentId: last.agentId }) : null,
      });
    },
  };
}

function isAgent(value: unknown): value is { readonly agentId: string } {
  return typeof (value as { agentId?: unknown } | null)?.agentId === "string";
}
