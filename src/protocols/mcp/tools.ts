import type { CallToolResult, InputRequiredResult } from "@modelcontextprotocol/server";
import { createBodyCheck } from "../../http/validation.ts";
import { Problem } from "../../problems/problem.ts";
import { askedBefore } from "./elicit.ts";
import { toolError } from "./errors.ts";
import { tools, type ToolName } from "./schemas.ts";
import { agentTools, type AgentToolParts } from "./tools/agents.ts";
import { historyTools, type HistoryToolParts } from "./tools/history.ts";
import { replyTools, type ReplyToolParts } from "./tools/replies.ts";
import type { Args, Call } from "./tools/tool.ts";

export type ToolParts = AgentToolParts & HistoryToolParts & ReplyToolParts;

type RunTool = (call: Call, args: unknown) => Promise<CallToolResult | InputRequiredResult>;

/** Tools whose calls may need a person. */
const asks: ReadonlySet<ToolName> = new Set(["ask_agent", "read_reply", "decide"]);

const checks = Object.fromEntries(
  Object.entries(tools).map(([name, { input }]) => [name, createBodyCheck(input)]),
) as { readonly [N in ToolName]: (value: unknown) => Args<N> };

export type Tools = ReturnType<typeof createTools>;

/** What the tools do, over the same commands as everything else. Whatever is another's does not exist, for administrators too. */
export function createTools(parts: ToolParts) {
  const { decideAsked, ...ofReplies } = replyTools(parts);
  const run = {
    ...agentTools(parts),
    ...historyTools(parts),
    ...ofReplies,
  } satisfies { readonly [N in ToolName]: (call: Call, args: Args<N>) => Promise<unknown> };

  return {
    /** Whatever is wrong is told as a result, with what one can do about it: only then the model hears of it. */
    async call(
      name: ToolName,
      call: Call,
      given: unknown,
    ): Promise<CallToolResult | InputRequiredResult> {
      const { request } = call.exchange;
      try {
        const args = checks[name](given ?? {});
        const asked = asks.has(name) ? askedBefore(call.context) : null;
        if (asked !== null) return await decideAsked(call, asked);
        return await (run[name] as RunTool)(call, args);
      } catch (error) {
        if (call.exchange.signal.aborted) throw error;
        if (!(error instanceof Problem)) {
          request.log.error({ err: error, tool: name }, "a tool failed");
        } else if (error.status >= 500 && !error.isOutage) {
          request.log.warn({ err: error.cause ?? error, tool: name }, "a tool was refused");
        }
        const problem =
          error instanceof Problem ? error : new Problem("internal_error", {}, { cause: error });
        return toolError(problem, request.language);
      }
    },
  };
}
