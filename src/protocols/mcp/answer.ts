import { createMcpHandler } from "@modelcontextprotocol/server";
import type { Logger } from "../../telemetry/logger.ts";
import { webRequest, type Exchange } from "./request.ts";
import { createMcpServer } from "./server.ts";
import { createTools, type ToolParts } from "./tools.ts";

interface AnswerOptions extends ToolParts {
  readonly name: string;
  readonly version: string;
  readonly heartbeatMs: number;
  readonly logger: Logger;
}

/** What is answered to a message, as the protocol has it. */
export type Answer = (exchange: Exchange) => Promise<Response>;

export function createAnswer(options: AnswerOptions): Answer {
  const tools = createTools(options);
  const exchanges = new WeakMap<Request, Exchange>();
  const handler = createMcpHandler(
    (context) => {
      const exchange = context.requestInfo && exchanges.get(context.requestInfo);
      if (exchange === undefined) throw new Error("a request came in by another way");
      return createMcpServer({ ...options, tools }, exchange, context);
    },
    {
      keepAliveMs: options.heartbeatMs,
      // Nothing here ever changes while one listens.
      maxSubscriptions: 0,
      onerror: (error) => options.logger.debug({ err: error }, "a message of MCP was refused"),
    },
  );
  return (exchange) => {
    const web = webRequest(exchange);
    exchanges.set(web, exchange);
    return handler.fetch(web, { parsedBody: exchange.request.body });
  };
}
