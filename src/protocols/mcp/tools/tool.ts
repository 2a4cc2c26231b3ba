import type { ServerContext } from "@modelcontextprotocol/server";
import type { Static } from "typebox";
import type { Exchange } from "../request.ts";
import type { ToolName, tools } from "../schemas.ts";

/** One call of a tool. */
export interface Call {
  readonly exchange: Exchange;
  readonly context: ServerContext;
  /** Closing the connection takes the call back, as the newer versions have it. */
  readonly endsWithConnection: boolean;
}

export type Args<N extends ToolName> = Static<(typeof tools)[N]["input"]>;
export type Result<N extends ToolName> = Static<(typeof tools)[N]["output"]>;

/** As the library takes it, with the texts for clients that read nothing else. */
export interface ToolResult {
  readonly structuredContent: Record<string, unknown>;
  readonly content: { readonly type: "text"; readonly text: string }[];
}

export function page<T extends object>(result: T): ToolResult {
  return {
    structuredContent: result as Record<string, unknown>,
    content: [toText(JSON.stringify(result))],
  };
}

export function toText(text: string) {
  return { type: "text" as const, text };
}
