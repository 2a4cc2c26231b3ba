import { A2A_PROTOCOL_VERSION, A2A_VERSION_HEADER, AgentCard } from "@a2a-js/sdk";
import { A2A_LEGACY_PROTOCOL_VERSION, isV1JsonRpcMethod } from "@a2a-js/sdk/compat/v0_3";
import {
  LegacyJsonRpcTransportHandler,
  LegacyRestTransportHandler,
} from "@a2a-js/sdk/compat/v0_3/server";
import { A2A_ERROR_CODE, VersionNotSupportedError } from "@a2a-js/sdk/errors";
import {
  JsonRpcTransportHandler,
  ServerCallContext,
  type A2ARequestHandler,
} from "@a2a-js/sdk/server";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import { maxMessageBytes } from "../../chat/message-body.ts";
import { problemResponses } from "../../http/problem-docs.ts";
import { goneSignal } from "../../http/gone-signal.ts";
import { pagesOf } from "../../replies/reading/pages.ts";
import type { FramedEvent, SseView } from "../../replies/reading/sse.ts";
import { baseUrl } from "../base-url.ts";
import { userOf } from "../caller.ts";
import { faulty } from "../faulty.ts";
import { rpcResultSchema } from "../json-rpc.ts";
import { turnRefusals } from "../refusals.ts";
import { agentCard } from "./card.ts";
import { isToldInside, rpcError } from "./errors.ts";
import { createHandler, type Exchange, type HandlerParts } from "./handler.ts";
import { namesIn } from "./request.ts";
import {
  cardSchema,
  errorResponses,
  rpcRequest,
  security,
  stream,
  tags,
  versionHeader,
} from "./schemas.ts";

export interface A2aRoutesOptions extends HandlerParts {
  readonly sse: SseView;
  readonly maxBodyBytes: number;
  readonly publicUrl: string | null;
  readonly name: string;
  readonly version: string;
  /** Whether one has to prove who one is. */
  readonly isGuarded: boolean;
}

interface RpcAnswer {
  readonly id: string | number | null;
  readonly error?: { readonly code: number };
}

const agentParams = Type.Object({ agent_id: Type.String({ examples: ["general-chat"] }) });
const calls = Type.Union([Type.Literal("message:send"), Type.Literal("message:stream")]);
const cardPath = "/.well-known/agent-card.json";
const streaming: ReadonlySet<unknown> = new Set([
  "SendStreamingMessage",
  "SubscribeToTask",
  "message/stream",
  "tasks/resubscribe",
]);

/** Agents as other agents find and ask them, over A2A of both its versions. */
export function a2aRoutes(options: A2aRoutesOptions): FastifyPluginAsyncTypebox {
  const { catalogue, publicUrl, isGuarded } = options;

  const cardOf = async (request: FastifyRequest, agentId: string | undefined, isPublic = false) =>
    agentCard({
      base: baseUrl(request, publicUrl),
      agentId,
      agent: isPublic && isGuarded ? null : await catalogue.seenBy(request).resolve(agentId),
      name: options.name,
      version: options.version,
      language: request.language,
      isGuarded,
    });

  /** Who asks for 1.0 gets its card; who says nothing may be of either version, and gets what both read. */
  const sendCard = async (request: FastifyRequest, reply: FastifyReply, card: AgentCard) => {
    void reply.header("Vary", A2A_VERSION_HEADER).type("application/json; charset=utf-8");
    const current = AgentCard.toJSON(card) as Card;
    const asked = request.headers["a2a-version"];
    if (asked === A2A_PROTOCOL_VERSION) return reply.send(JSON.stringify(current));
    // The library tells 0.3's form of a card only to who asks for the extended one.
    const handler = {
      getAuthenticatedExtendedAgentCard: async () => card,
    } as Partial<A2ARequestHandler>;
    const old = await new LegacyRestTransportHandler(
      handler as A2ARequestHandler,
    ).getAuthenticatedExtendedAgentCard(new ServerCallContext());
    return reply.send(JSON.stringify(bothOf(current, old as unknown as Card)));
  };

  const answer = async (
    request: FastifyRequest,
    reply: FastifyReply,
    agentId: string | undefined,
    /** Its clients look at the status of HTTP alone. */
    isHttp = false,
  ): Promise<FastifyReply | undefined> => {
    const version = versionOf(request);
    const isOld = version === A2A_LEGACY_PROTOCOL_VERSION;
    const mapError = isOld
      ? LegacyJsonRpcTransportHandler.mapToLegacyJSONRPCError
      : JsonRpcTransportHandler.mapToJSONRPCError;
    const { body } = request;
    const failed = (error: unknown) => ({ jsonrpc: "2.0", id: idOf(body), error: mapError(error) });
    if (!isOld && version !== A2A_PROTOCOL_VERSION) {
      return reply.send(
        failed(
          new VersionNotSupportedError(`Version ${version} is not spoken here: say 1.0 or 0.3.`),
        ),
      );
    }
    const tell = (told: RpcAnswer) => {
      if (isHttp && exchange.refusal !== undefined) throw exchange.refusal;
      return reply.code(isHttp && told.error !== undefined ? 400 : 200).send(told);
    };
    const done = new AbortController();
    const exchange: Exchange = {
      request,
      reply,
      userId: userOf(request, namesIn(body)),
      agentId,
      base: baseUrl(request, publicUrl),
      isOld,
      signal: AbortSignal.any([goneSignal(reply), done.signal]),
      card: () => cardOf(request, agentId),
    };
    const handler = createHandler(options, exchange);
    const Transport = isOld ? LegacyJsonRpcTransportHandler : JsonRpcTransportHandler;
    using viewer = streaming.has(methodOf(body)) ? options.sse.admit(request) : null;
    const context = new ServerCallContext({ requestedVersion: version });
    const answered = (await new Transport(handler).handle(body as never, context)) as
      | RpcAnswer
      | AsyncGenerator<object, void, undefined>;
    if (viewer === null || !(Symbol.asyncIterator in answered)) {
      request.forgetBody();
      return tell(toldOf(answered as RpcAnswer, exchange));
    }
    let first: IteratorResult<object, void>;
    try {
      first = await answered.next();
    } catch (error) {
      return tell(toldOf(failed(error), exchange));
    }
    // Files are stored by now, and a request lives as long as its stream.
    request.body = undefined;
    request.forgetBody();
    viewer.show(request, reply, {
      fields: { agentId },
      hasEndLine: false,
      open: pagesOf((signal) => {
        signal.addEventListener("abort", () => done.abort(), { once: true });
        return framed(first, answered);
      }),
    });
    return undefined;
  };

  return async (app) => {
    const rpc = {
      bodyLimit: maxMessageBytes(options.maxBodyBytes, options.maxUploadBytes),
      schema: {
        tags,
        security,
        description:
          "`SendMessage`, `SendStreamingMessage`, `GetTask`, `ListTasks`, `CancelTask`, `SubscribeToTask` and " +
          "`GetExtendedAgentCard` of 1.0; `message/send`, `message/stream`, `tasks/get`, `tasks/cancel`, " +
          "`tasks/resubscribe` and `agent/getAuthenticatedExtendedCard` of 0.3.",
        headers: versionHeader,
        body: rpcRequest,
        response: {
          200: {
            description: "The result or what is wrong with the request, or a stream of results.",
            content: {
              "application/json": { schema: rpcResultSchema },
              "text/event-stream": { schema: { type: "string" }, example: stream },
            },
          },
          ...errorResponses(...turnRefusals, "agent_failed", "agent_timeout"),
        },
      },
    };
    const summary = "Ask an agent (A2A, JSON-RPC)";
    app.post(
      "/a2a",
      { ...rpc, schema: { ...rpc.schema, summary: `${summary}: whichever answers by itself` } },
      async (request, reply) => answer(request, reply, undefined),
    );
    app.post(
      "/a2a/:agent_id",
      { ...rpc, schema: { ...rpc.schema, summary, params: agentParams } },
      async (request, reply) => answer(request, reply, request.params.agent_id),
    );
    app.post(
      "/a2a/:agent_id/v1/:call",
      {
        ...rpc,
        schema: {
          ...rpc.schema,
          summary: `${summary}, at the addresses of Agno's RemoteAgent`,
          description: "The same with the status of HTTP for whatever is wrong.",
          params: Type.Object({ ...agentParams.properties, call: calls }),
        },
      },
      async (request, reply) => answer(request, reply, request.params.agent_id, true),
    );

    const response = { 200: { description: "The card.", content: jsonOf(cardSchema) } };
    app.get(
      cardPath,
      {
        config: { isPublic: true },
        schema: {
          tags,
          summary: "What agents find here (A2A)",
          description:
            "Of the agent that answers when none is named; where one has to prove who one is, of this service, and " +
            "`GetExtendedAgentCard` tells of the agent.",
          headers: versionHeader,
          response: { ...response, ...problemResponses("agent_unavailable") },
        },
      },
      async (request, reply) => sendCard(request, reply, await cardOf(request, undefined, true)),
    );
    app.get(
      `/a2a/:agent_id${cardPath}`,
      {
        schema: {
          tags,
          security,
          summary: "What an agent says of itself to others (A2A)",
          headers: versionHeader,
          params: agentParams,
          response: { ...response, ...errorResponses("agent_not_found", "agent_unavailable") },
        },
      },
      async (request, reply) =>
        sendCard(request, reply, await cardOf(request, request.params.agent_id)),
    );
  };
}

type Card = Readonly<Record<string, unknown>> & {
  readonly securitySchemes?: Readonly<Record<string, object>>;
  readonly skills?: readonly object[];
};

const jsonOf = (schema: object) => ({ "application/json": { schema } });

/** A card that clients of both versions read: where they differ, both have their members. */
function bothOf(current: Card, old: Card): object {
  const schemes = Object.entries(current.securitySchemes ?? {}).map(([name, scheme]) => [
    name,
    { ...old.securitySchemes?.[name], ...scheme },
  ]);
  return {
    ...old,
    ...current,
    ...(schemes.length > 0 && { securitySchemes: Object.fromEntries(schemes) as object }),
  };
}

function methodOf(body: unknown): unknown {
  return (body as { method?: unknown } | null | undefined)?.method;
}

function idOf(body: unknown): RpcAnswer["id"] {
  const { id } = (body ?? {}) as { id?: unknown };
  return typeof id === "string" || typeof id === "number" ? id : null;
}

/** As the client says, without the last number; who says nothing is of the version whose methods it calls. */
function versionOf({ headers, body }: FastifyRequest): string {
  const given = headers["a2a-version"];
  if (given === undefined || given === "") {
    return isV1JsonRpcMethod(methodOf(body)) ? A2A_PROTOCOL_VERSION : A2A_LEGACY_PROTOCOL_VERSION;
  }
  return String(given).replace(/^(\d+\.\d+)\.\d+$/, "$1");
}

/** What is told of a call. Raises what is an answer of HTTP as well. */
function toldOf(answer: RpcAnswer, { refusal, request }: Exchange): RpcAnswer {
  const { language } = request;
  if (refusal !== undefined) {
    if (!isToldInside(refusal)) throw refusal;
    return { ...answer, error: rpcError(refusal, language) };
  }
  // Nothing of ours broke, so the library could not read the request.
  if (answer.error?.code === A2A_ERROR_CODE.INTERNAL_ERROR) {
    const problem = faulty("/params", "are not what the method takes", "不符合该方法的参数要求");
    return { ...answer, error: rpcError(problem, language) };
  }
  return answer;
}

/** Behind none of these anybody can go on: a task is subscribed to anew. */
async function* framed(
  first: IteratorResult<object, void>,
  rest: AsyncGenerator<object, void, undefined>,
): AsyncGenerator<readonly FramedEvent[], void, undefined> {
  if (first.done === true) return;
  yield [frame(first.value)];
  for await (const event of rest) yield [frame(event)];
}

function frame(event: object): FramedEvent {
  return { seq: null, json: JSON.stringify(event) };
}
