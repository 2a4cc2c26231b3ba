import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import type { EventStream, Upstream } from "../../upstream/upstream.ts";
import { toProblem, upstreamErrorOf } from "../../upstream/upstream-error.ts";
import { createAnswerParser, type AnswerDocument } from "./answer-parser.ts";
import type { Completion, HearWords, ModelCall, ModelDelta, ModelWords } from "./chat-protocol.ts";
import { createCompletionReader, type CompletionReader } from "./completion-stream.ts";
import { refusedSetting } from "./model-settings.ts";
import { toResponsesRequest, unknownToResponses } from "./responses-request.ts";
import { createResponseReader } from "./responses-stream.ts";
import { refusalKindOf, refusals } from "./refusal.ts";
import {
  createRefusedOptions,
  refusedMember,
  without,
  type OptionalMember,
} from "./refused-options.ts";

export interface Completions {
  complete(call: ModelCall, signal: AbortSignal): Promise<Completion>;
  /** Whether the last that was asked of this model was answered. */
  hasAnswered(modelId: string): boolean;
}

/** How a server is asked, and how its answer is read. */
interface Protocol {
  /** Below the base. */
  readonly path: string;
  /** The members of a request of the chat completions protocol, as they are sent. */
  readonly encode: (members: Members) => Members;
  readonly createReader: () => CompletionReader;
  /** Settings that it has no member for. */
  readonly unknown: readonly string[];
}

type Members = Readonly<Record<string, unknown>>;

export const protocols = {
  completions: {
    path: "/chat/completions",
    encode: (members) => members,
    createReader: createCompletionReader,
    unknown: [],
  },
  responses: {
    path: "/responses",
    encode: toResponsesRequest,
    createReader: createResponseReader,
    unknown: unknownToResponses,
  },
} as const satisfies Readonly<Record<string, Protocol>>;

/**
 * How long nothing may come before the answer counts as over though its body does not end. After the finish_reason
 * only usage may follow; where it is doubtful more text may. After `[DONE]` nothing comes but the end of the body;
 * reading it keeps the connection for the next call.
 */
const waitMs = { over: 100, likely: 2_000, doubtful: 10_000, contradicted: 10_000 } as const;

/** Names come from callers. */
const maxModels = 1_000;

/**
 * Streamed completions of one server. A request that is refused for a member that it can do without is sent again
 * without it; what the refusal names is remembered by model for a while.
 */
export function createCompletions(options: {
  readonly upstream: Upstream;
  /** Asked before each request. */
  readonly path: () => string;
  /** The request in the server's dialect of the chat completions protocol. */
  readonly body: (call: ModelCall) => Members;
  /** Default: completions. */
  readonly protocol?: Protocol;
  readonly log: Logger;
}): Completions {
  const { upstream, path, body, log, protocol = protocols.completions } = options;
  const refused = createRefusedOptions(log);
  const answered = new Set<string>();

  return {
    hasAnswered: (modelId) => answered.has(modelId),
    async complete(call, signal) {
      const unknown = protocol.unknown.find((member) => member in call.settings);
      if (unknown !== undefined) {
        throw refusedSettingOf(call, unknown, new Error("the protocol has no such member"));
      }
      const omitted = new Set<OptionalMember>(refused.of(call.model.id));
      const named = new Set(omitted);
      let refusal: unknown = null;
      for (;;) {
        const members = without(body(call), omitted, call.ownPictures);
        const enough = new AbortController();
        try {
          const request = {
            method: "POST",
            path: path(),
            body: JSON.stringify(protocol.encode(members)),
            // Another body is another request.
            headers: {
              ...call.headers,
              "idempotency-key": `${call.idempotencyKey}-${omitted.size}`,
            },
            signal: AbortSignal.any([signal, enough.signal]),
            agentId: call.agentId,
            // A completion has no effects: a second one only costs.
            retryable: true,
          } as const;
          const events = await upstream.open(request, createAnswerParser);
          if (named.size > 0) refused.remember(call.model.id, named);
          if (answered.size < maxModels) answered.add(call.model.id);
          return readCompletion(events, protocol.createReader(), call.agentId, signal, enough);
        } catch (error) {
          const blame = refusedMember(error, members, call.ownPictures, call.settings);
          if (upstreamErrorOf(error)?.status === 404) answered.delete(call.model.id);
          if (blame === null) {
            throw refusedFor(error, call) ?? explain(refusal ?? error, call.agentId, false);
          }
          refusal ??= error;
          omitted.add(blame.member);
          if (blame.isNamed) named.add(blame.member);
        }
      }
    },
  };
}

/** `enough` ends the exchange when nothing of interest can follow. */
function readCompletion(
  { first, rest }: EventStream<AnswerDocument>,
  reader: CompletionReader,
  agentId: string,
  signal: AbortSignal,
  enough: AbortController,
): Completion {
  let batch = first;
  let position = 0;
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;

  /** The deltas of the next event that has any for who waits in `next`; null after the last one that has arrived. */
  const read = (
    arrived: readonly AnswerDocument[],
    hear: HearWords | undefined,
  ): readonly ModelDelta[] | null => {
    while (position < arrived.length) {
      const document = arrived[position] as AnswerDocument;
      position += 1;
      const deltas = reader.read(document);
      const { ended } = reader;
      if (timer !== undefined) clearTimeout(timer);
      timer = ended === null ? undefined : setTimeout(() => enough.abort(), waitMs[ended]);
      if (deltas.length === 0) continue;
      const [words] = deltas;
      if (hear === undefined || deltas.length > 1 || !isWords(words)) return deltas;
      if (!hear(words)) return nothing;
    }
    return null;
  };

  return {
    async next(hear) {
      if (isOver) return null;
      try {
        while (batch !== null) {
          const deltas = read(batch, hear);
          if (deltas !== null) return deltas;
          let found: readonly ModelDelta[] | null = null;
          batch = await rest.next((arrived) => {
            position = 0;
            found = read(arrived, hear);
            return found === null;
          });
          if (found !== null) return found;
        }
      } catch (error) {
        // After the last word it does not matter how the connection ends.
        const isHarmless =
          reader.ended !== null && (reader.ended !== "contradicted" || enough.signal.aborted);
        if (signal.aborted || !isHarmless) throw explain(error, agentId, true);
      }
      isOver = true;
      try {
        return reader.end();
      } catch (error) {
        throw explain(error, agentId, true);
      }
    },
    close() {
      clearTimeout(timer);
      rest.close();
    },
  };
}

const nothing: readonly ModelDelta[] = [];

function isWords(delta: ModelDelta | undefined): delta is ModelWords {
  return delta?.type === "text" || delta?.type === "reasoning";
}

/** What was asked for, and the model cannot do; null: it is refused for something else. */
function refusedFor(error: unknown, call: ModelCall): Problem | null {
  const fault = upstreamErrorOf(error);
  if ((fault?.status !== 400 && fault?.status !== 422) || refusalKindOf(fault) !== null)
    return null;
  const member = refusedSetting(fault.bodyExcerpt, call.settings);
  return member === null ? null : refusedSettingOf(call, member, fault);
}

function refusedSettingOf({ agentId }: ModelCall, member: string, cause: Error): Problem {
  const detail = {
    en: `Its model does not take ${member} as it was given. Change or remove it, or choose another model.`,
    zh: `其模型不接受所给的 ${member}。请修改或去掉该项，或选择其他模型。`,
  };
  return new Problem("agent_failed", { agentId, detail }, { cause });
}

/** Says more about a refusal that people can do something about. */
function explain(error: unknown, agentId: string, begun: boolean): unknown {
  const problem = toProblem(error, agentId, begun);
  const fault = upstreamErrorOf(problem);
  if (!(problem instanceof Problem) || !fault) return problem;
  const kind = fault.fault === "malformed" ? "malformed" : refusalKindOf(fault);
  if (kind === "model") return unknownModel(agentId, fault);
  if (kind === "overflow") return new Problem("context_too_long", { agentId }, { cause: fault });
  if (kind !== null) {
    return new Problem("agent_failed", { agentId, detail: refusals[kind] }, { cause: fault });
  }
  return fault.status === 404 ? unknownModel(agentId, fault) : problem;
}

/** The model that was asked for does not exist. */
export function unknownModel(agentId: string, cause: unknown): Problem {
  return new Problem(
    "agent_failed",
    {
      agentId,
      detail: {
        en: "Its model does not exist. GET /chat/models lists those that do.",
        zh: "其模型不存在。可用的模型见 GET /chat/models。",
      },
    },
    { cause },
  );
}
