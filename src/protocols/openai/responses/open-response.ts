import type { FastifyReply, FastifyRequest } from "fastify";
import type { Catalogue } from "../../../agents/catalogue.ts";
import type { Commands } from "../../../chat/commands.ts";
import { requireAction } from "../../../http/caller.ts";
import { goneSignal } from "../../../http/gone-signal.ts";
import type { IdentityProvider } from "../../../identity/identity.ts";
import { Problem } from "../../../problems/problem.ts";
import { keyOf, userOf } from "../../caller.ts";
import { conversationName, type ExternalIds } from "../../conversation-name.ts";
import type { OpenedTurn, ProtocolTurn, TurnOpener } from "../../open-turn.ts";
import { readMetadata } from "../metadata.ts";
import { settingsFor } from "../settings.ts";
import type { ResponseEcho, ResponseName } from "./project.ts";
import type { ResponseReader } from "./read-response.ts";
import {
  conversationId,
  formatOf,
  lastKnownItem,
  nameOf,
  readInput,
  refuseUnsupportedOfResponse,
  type KnownItem,
  type ResponseBody,
} from "./request.ts";

interface OpenerOptions {
  readonly externalIds: Pick<ExternalIds, "isKept">;
  readonly turns: TurnOpener;
  readonly commands: Pick<Commands, "state">;
  readonly catalogue: Pick<Catalogue, "seenBy">;
  readonly identity: IdentityProvider;
  readonly maxMessageLength: number;
  readonly maxUploadBytes: number;
}

const operation = "POST /v1/responses";

/** What a request makes: a turn, or the part of a reply that follows what was decided. */
export function createResponseOpener(options: OpenerOptions, reader: ResponseReader) {
  const { turns, commands, catalogue, identity, externalIds } = options;
  const { parts } = reader;

  /** Where what the client has from here ends. Raises `message_not_found` for what it only names. */
  const findItem = async (
    request: FastifyRequest,
    userId: string,
    input: unknown,
  ): Promise<KnownItem | null> => {
    const item = lastKnownItem(input);
    if (item === null) return null;
    const { messageId } = item.name;
    try {
      await commands.state(request, { messageId, userId });
      return item;
    } catch (error) {
      const isGone = error instanceof Problem && error.type === "message_not_found";
      // What it says stands there.
      if (isGone && !item.isReference) return null;
      throw error;
    }
  };

  return async (
    request: FastifyRequest<{ Body: ResponseBody }>,
    reply: FastifyReply,
  ): Promise<{ turn: OpenedTurn; name: ResponseName }> => {
    const { body } = request;
    refuseUnsupportedOfResponse(body);
    const metadata = readMetadata(body.metadata);
    const previousId = body.previous_response_id ?? null;
    const isNamed = body.conversation !== undefined && body.conversation !== null;
    if (previousId !== null && isNamed) {
      throw new Problem("bad_request", {
        en: "conversation and previous_response_id cannot both be given.",
        zh: "conversation 与 previous_response_id 不能同时提供。",
      });
    }
    const sessionId = conversationId(body.conversation);
    await requireAction(request, identity, "send_message");
    const userId = userOf(request);
    const isKnown = previousId !== null || sessionId !== null;
    const item = isKnown ? null : await findItem(request, userId, body.input);
    const input = readInput(body, isKnown ? 0 : item && item.index + 1, options);
    const previous = previousId === null ? (item?.name ?? null) : nameOf(previousId);
    const conversation = previous === null && sessionId === null ? conversationName(request) : null;
    const key = keyOf(request, operation, conversation);
    if (input.decisions.length > 0) {
      if (previous === null) {
        throw new Problem("bad_request", {
          en: "What was decided needs previous_response_id: the response that asked for it.",
          zh: "提交决定时需要 previous_response_id，即提出请求的那个响应。",
        });
      }
      const { messageId } = previous;
      const state = await commands.state(request, { messageId, userId });
      await parts.check(previous, state, goneSignal(reply));
      const told = await reader.about({ messageId, segment: previous.segment });
      const isWaiting = state.status === "paused";
      const count = isWaiting ? await parts.count(told, goneSignal(reply)) : previous.segment + 1;
      const turn = await turns.decide(request, { messageId, userId }, input.decisions, key);
      return { turn, name: { messageId, segment: Math.max(count, previous.segment + 1) } };
    }
    let place: ProtocolTurn["place"];
    if (previous !== null) {
      const before = await commands.state(request, { messageId: previous.messageId, userId });
      await parts.check(previous, before, goneSignal(reply));
      place = {
        sessionId: before.sessionId,
        at: { kind: "below", messageId: before.replyId },
        interrupts: before.status === "paused",
      };
    } else if (sessionId !== null) place = { sessionId, at: { kind: "head" }, interrupts: false };
    // What follows an answer that is not kept goes with it.
    const isKept =
      body.store !== false && (place === undefined || (await externalIds.isKept(place.sessionId)));
    const agent = await catalogue.seenBy(request).resolve(body.model ?? undefined);
    const { said, earlier, instructions } = input;
    const format = formatOf((body as { text?: unknown }).text);
    const echo: ResponseEcho = {
      ...(body.instructions && { instructions: body.instructions }),
      ...(Object.keys(metadata).length > 0 && { metadata }),
      ...(previousId !== null && { previous_response_id: previousId }),
      ...(body.background === true && { background: true }),
      ...(!isKept && { store: false }),
      ...(body.temperature !== undefined && { temperature: body.temperature }),
      ...(body.top_p !== undefined && { top_p: body.top_p }),
      ...(body.max_output_tokens !== undefined && { max_output_tokens: body.max_output_tokens }),
    };
    const turn = await turns.open({
      request,
      reply,
      userId,
      conversation,
      ...(place && { place }),
      isKept,
      earlier,
      said,
      metadata: { response: echo },
      agentId: agent.agentId,
      ownSettings: settingsFor(
        agent,
        {
          instructions: instructions === "" ? undefined : instructions,
          temperature: body.temperature,
          top_p: body.top_p,
          max_tokens: body.max_output_tokens,
          response_format: format,
        },
        "/text/format",
      ),
      key,
    });
    return { turn, name: { messageId: turn.replyId, segment: 1 } };
  };
}
