import { Readable } from "node:stream";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import { requireAction } from "../../http/caller.ts";
import { goneSignal } from "../../http/gone-signal.ts";
import type { IdempotencyStore } from "../../idempotency/idempotency-store.ts";
import { newId } from "../../lib/ids.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { baseUrl } from "../base-url.ts";
import { userOf } from "../caller.ts";
import { rpcResultSchema } from "../json-rpc.ts";
import { metadataPath, protectedResource } from "./metadata.ts";
import { callKey, cancelledCalls, clientIdOf, isInitialize, type Exchange } from "./request.ts";
import { errorResponses, metadataSchema } from "./documented.ts";
import type { Answer } from "./answer.ts";
import type { ToolParts } from "./tools.ts";

export interface McpRoutesOptions extends Omit<ToolParts, "commands"> {
  readonly commands: Pick<ToolParts["commands"], "state" | "cancel">;
  readonly idempotency: Pick<IdempotencyStore, "ledTo">;
  readonly name: string;
  readonly version: string;
  readonly heartbeatMs: number;
  readonly publicUrl: string | null;
  /** Who makes the tokens that are taken; null: there is nobody whom clients could ask for one. */
  readonly issuer: string | null;
  readonly logger: Logger;
}

const tags = ["MCP"];
const security = [{ bearer: [] }, { apiKey: [] }, {}];

/** Agents and the history as tools of the Model Context Protocol. */
export function mcpRoutes(options: McpRoutesOptions): FastifyPluginAsyncTypebox {
  const { idempotency, commands, publicUrl, issuer } = options;
  let loading: Promise<Answer> | undefined;
  /** The protocol's library and its schemas are several megabytes, which only those have whose clients speak it. */
  const answer: Answer = async (exchange) => {
    loading ??= import("./answer.ts").then(({ createAnswer }) => createAnswer(options));
    return (await loading)(exchange);
  };

  /** Who takes a call back may reach another node than the call itself has. */
  const cancel = async ({ request, userId }: Exchange): Promise<void> => {
    const clientId = clientIdOf(request);
    const ids = clientId === null ? [] : cancelledCalls(request.body);
    if (clientId === null || ids.length === 0) return;
    await requireAction(request, options.identity, "send_message");
    await request.charge("steer");
    for (const id of ids) {
      const led = await idempotency.ledTo(userId, callKey(clientId, id));
      const messageId = led?.messageId ?? null;
      if (messageId === null) continue;
      const named = { messageId, userId };
      await commands.cancel(request, named).catch((error: unknown) => {
        // It has ended, or is gone: nobody waits for what comes of this.
        request.log.debug({ err: error }, "a call that was taken back runs no more");
      });
    }
  };

  const send = async (reply: FastifyReply, response: Response): Promise<FastifyReply> => {
    void reply.code(response.status);
    for (const [name, value] of response.headers) void reply.header(name, value);
    if (response.body === null) return reply.send();
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
    if (isStream !== true) return reply.send(Buffer.from(await response.arrayBuffer()));
    void reply.header("X-Accel-Buffering", "no").header("Cache-Control", "no-store, no-transform");
    return reply.send(Readable.fromWeb(response.body));
  };

  const base = (request: FastifyRequest) => baseUrl(request, publicUrl);

  return async (app) => {
    app.addHook("onSend", (request, reply, _payload, done) => {
      if (reply.statusCode === 401 && issuer !== null) {
        const where = `${base(request)}${metadataPath}`;
        void reply.header("WWW-Authenticate", `Bearer resource_metadata="${where}"`);
      }
      done();
    });

    app.post(
      "/mcp",
      {
        schema: {
          tags,
          security,
          summary: "Agents and the history as tools (Model Context Protocol, streamable HTTP)",
          description:
            "JSON-RPC: `initialize`, `tools/list`, `tools/call` and `ping` of the versions from 2024-11-05 on, and " +
            "`server/discover` of 2026-07-28. No session is kept: any node answers any request. The tools are " +
            "`list_agents`, `ask_agent`, `read_reply`, `decide`, `stop_reply`, `search_history`, `list_sessions` and " +
            "`read_session`.",
          body: Type.Unknown({
            examples: [{ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} }],
          }),
          response: {
            200: {
              description: "The result, or a stream of notices of its progress that ends with it.",
              content: {
                "application/json": { schema: rpcResultSchema },
                "text/event-stream": { schema: { type: "string" } },
              },
            },
            202: { description: "A notification was taken.", type: "null" },
            ...errorResponses("malformed_json", "overloaded"),
          },
        },
      },
      async (request, reply) => {
        const signal = goneSignal(reply);
        const exchange = { request, reply, userId: userOf(request), signal };
        await cancel(exchange);
        const response = await answer(exchange);
        request.forgetBody();
        if (response.status === 200 && isInitialize(request.body)) {
          // A name for their calls, which they bring again; nothing is kept of it.
          void reply.header("Mcp-Session-Id", newId());
        }
        return send(reply, response);
      },
    );

    if (issuer === null) return;
    for (const path of [metadataPath, "/.well-known/oauth-protected-resource"]) {
      app.get(
        path,
        {
          config: { isPublic: true },
          schema: {
            tags,
            summary: "Who makes the tokens that are taken here (RFC 9728)",
            response: { 200: metadataSchema },
          },
        },
        async (request) => protectedResource(base(request), issuer, options.name),
      );
    }
  };
}
