import { Problem } from "../../../problems/problem.ts";
import type { AgentEvent, Decision, RunRequest, ToldEvent } from "../../agent-backend.ts";
import { askModel } from "./ask-model.ts";
import type { ChatMessage, ModelDelta, ModelToolCall, ModelWords } from "./chat-protocol.ts";
import { colleaguesOf } from "./colleagues.ts";
import { wireSettings } from "./model-settings.ts";
import { isImage, withFiles } from "./files-in-prompt.ts";
import { readPast } from "./past-turns.ts";
import { lengthOfTexts, promptFor } from "./prompt.ts";
import { sendableArguments } from "./tool-call-collector.ts";
import { pausedEvent, restoreTurn } from "./paused-turn.ts";
import { answerCalls } from "./tool-calls.ts";
import type { Tool } from "./tool.ts";
import { findTool } from "./tools.ts";
import {
  maxDepth,
  maxKeptLength,
  maxMediaLength,
  maxModelCalls,
  type ConversationOptions,
  type Turn,
} from "./turn.ts";

/**
 * Holds one turn of a conversation with an agent: asks its model, does what the model calls for, and asks again until
 * it answers without a call. An agent that delegates keeps the conversation: the colleague works on the task in a
 * conversation of its own, its answer goes back as detail, and the agent addressed goes on speaking.
 */
export function converse(
  request: RunRequest,
  options: ConversationOptions,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void, void> {
  return speak(() => begin(request, options, signal), options, signal);
}

/** Goes on where a person had to decide. */
export function goOn(
  request: RunRequest,
  state: Readonly<Record<string, unknown>>,
  decisions: readonly Decision[],
  options: ConversationOptions,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void, void> {
  const prepare = () => {
    signal.throwIfAborted();
    return restoreTurn({ request, state, decisions, agents: options.agents });
  };
  return speak(prepare, options, signal);
}

function begin(request: RunRequest, options: ConversationOptions, signal: AbortSignal): Turn {
  signal.throwIfAborted();
  const agent = options.agents.get(request.agentId);
  if (!agent) throw new Problem("agent_not_found", { agentId: request.agentId });
  return {
    agent,
    chain: [agent.id],
    reply: { request, past: null, modelCalls: 1, sent: 0, asked: 0, decisions: new Map() },
    message: request.message,
    rounds: [],
    waiting: null,
    text: "",
    mediaLength: 0,
    reason: "stop",
  };
}

/**
 * Lets the agent of a turn work on its messages until it answers. Only the agent addressed is heard, and ends the
 * reply. All of it is one generator: each one more would cost time for each token.
 */
async function* speak(
  prepare: () => Turn,
  options: ConversationOptions,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void, void> {
  const turn = prepare();
  const { agent, chain, rounds, reply } = turn;
  const { request } = reply;
  const { windows } = options;
  const addressed = chain.length === 1;
  // The session's choices are for the agent addressed; others keep their own.
  const { model: wanted = agent.model, temperature = agent.temperature } = addressed
    ? request.settings
    : {};
  const route = await options.router.route(wanted, request, signal);
  const model = route.model.id;
  const told = route.source.contextTokens?.(model) ?? null;
  const roomTokens = windows.roomFor(model, told, request.settings.maxTokens);
  reply.past ??= await readPast(request, options, roomTokens);
  const prompt = promptFor(agent, request, reply.past, turn.message, roomTokens);
  const colleagues =
    chain.length < maxDepth ? colleaguesOf(agent, options.agents, chain, request.language) : [];
  const patienceMs = turn.waiting === null ? listPatienceMs : continuePatienceMs;
  const tools: ReadonlyMap<string, Tool> = new Map([
    ...agent.tools.flatMap((name) => {
      const tool = findTool(name);
      return tool === null ? [] : [[name, tool] as const];
    }),
    ...(await options.mcp.of(agent.id, patienceMs, signal)),
  ]);
  const definitions = [...colleagues, ...tools.values()].map(({ definition }) => definition);
  const work = (member: Turn, both: AbortSignal) => speak(() => member, options, both);
  const place = { turn, colleagues, tools, options, work };
  let answers = turn.waiting;
  for (;;) {
    if (answers !== null) {
      turn.waiting = yield* answerCalls(answers, place, signal);
      if (turn.waiting !== null) {
        if (addressed) yield pausedEvent(turn);
        return;
      }
      if (addressed) rounds.push(...(await takenIn(request, roomTokens)));
      reply.modelCalls += 1;
    }
    const mayCall = reply.modelCalls < maxModelCalls;
    const { completion, first, estimatedTokens, context } = await askModel({
      model,
      prompt,
      rounds,
      roomTokens,
      windows,
      send: (messages) => {
        reply.sent += 1;
        const call = {
          model: route.model,
          messages,
          ownPictures: request.attachments.filter(isImage).length,
          tools: definitions,
          toolChoice: mayCall ? "auto" : "none",
          ...(temperature === null ? {} : { temperature }),
          settings: addressed ? wireSettings(request.settings) : {},
          agentId: request.agentId,
          idempotencyKey: `${request.replyId}-${request.attempt}-${reply.sent}`,
          headers: headersOf(request),
        } as const;
        return route.source.complete(call, signal);
      },
    });
    let calls: readonly ModelToolCall[] = [];
    let members: Readonly<Record<string, unknown>> = {};
    let text = "";
    let hasToldUsage = false;
    const hear = (delta: ModelDelta): AgentEvent | null => {
      switch (delta.type) {
        case "text": {
          // What is said before a tool is used and what is said after it are two paragraphs.
          const said = text === "" && needsBreak(turn.text) ? paragraph + delta.text : delta.text;
          if (text.length < maxKeptLength) text += said;
          return addressed ? { type: "text", text: said } : null;
        }
        case "retract":
          text = "";
          return addressed ? { type: "replace", text: turn.text } : null;
        case "reasoning":
          return addressed ? delta : { ...delta, agentId: agent.id };
        case "media":
          turn.mediaLength += delta.url.length;
          if (turn.mediaLength > maxMediaLength)
            return hear({ type: "text", text: imageLeftOut[request.language] });
          return addressed ? delta : { ...delta, agentId: agent.id };
        case "sources":
          return addressed ? delta : { ...delta, agentId: agent.id };
        case "usage":
          hasToldUsage = true;
          windows.observe(model, estimatedTokens, delta.inputTokens);
          return { ...delta, model };
        case "end":
          turn.reason = delta.reason;
          calls = delta.toolCalls;
          members = delta.members ?? {};
          return null;
      }
    };
    let behind: Promise<void> | undefined;
    const { tell } = request;
    const hearWords =
      addressed && tell !== undefined
        ? (words: ModelWords): boolean => {
            behind = tell(hear(words) as ToldEvent);
            return behind === undefined;
          }
        : undefined;
    try {
      if (addressed) yield { type: "context", context };
      for (let deltas = first; deltas; deltas = await completion.next(hearWords)) {
        for (const delta of deltas) {
          const event = hear(delta);
          if (event !== null) yield event;
        }
        if (behind !== undefined) await behind;
      }
      // It is known all the same who has answered.
      if (addressed && !hasToldUsage)
        yield { type: "usage", inputTokens: 0, outputTokens: 0, model };
    } finally {
      completion.close();
    }
    if (turn.text.length < maxKeptLength) turn.text += text;
    // It calls although it was told not to: the rounds are used up.
    if (calls.length > 0 && !mayCall) turn.reason = "length";
    if (calls.length === 0 || !mayCall) {
      if (!addressed) return;
      const isEmpty = turn.text.trim() === "" && turn.mediaLength === 0 && calls.length === 0;
      if (isEmpty) throw emptyAnswer(turn);
      yield { type: "finish", reason: turn.reason };
      return;
    }
    rounds.push({
      ...members,
      role: "assistant",
      content: text === "" ? null : text.trimStart(),
      tool_calls: calls.map((call) => ({
        ...call.members,
        id: call.id,
        type: "function",
        function: {
          ...call.functionMembers,
          name: call.name,
          arguments: sendableArguments(call.argumentsText),
        },
      })),
    });
    answers = calls.map((call) => ({ call, result: null, requirementId: null, member: null }));
  }
}

/** What the user has said meanwhile, as one message: roles alternate. */
async function takenIn(request: RunRequest, roomTokens: number): Promise<ChatMessage[]> {
  const said = (await request.steered?.()) ?? [];
  if (said.length === 0) return [];
  const text = said.map(({ message }) => message).join("\n\n");
  const files = said.flatMap(({ attachments }) => attachments);
  return [{ role: "user", content: withFiles(text, files, lengthOfTexts(roomTokens)) }];
}

const imageLeftOut = {
  en: "\n\n[An image came with this answer that is too large to be passed on.]\n\n",
  zh: "\n\n[此回答附有一张图片，因过大无法传送。]\n\n",
} as const;

/** Nothing at all was said: that is no success, whatever the reason given. */
function emptyAnswer({ reason, reply }: Turn): Problem {
  const { agentId } = reply.request;
  const detail =
    reason === "length"
      ? {
          en: "Its model reached its output limit before it had begun to answer. Ask for less, or choose a model that thinks less.",
          zh: "其模型在开始回答之前就达到了输出上限。请缩小问题，或选择思考较少的模型。",
        }
      : reason === "content_filter"
        ? {
            en: "Its provider's content filter withheld the answer. Put it in other words.",
            zh: "其提供方的内容过滤器拦截了回答。请换一种说法。",
          }
        : {
            en: "Its model ended without an answer. Send the message again, or choose another model.",
            zh: "其模型没有给出任何回答。请重新发送，或选择其他模型。",
          };
  const cause = new Error(`the model ended (${reason}) without text, calls or media`);
  return new Problem("agent_failed", { agentId, detail }, { cause });
}

/** For servers of tools that have not answered yet: a reply goes on without them. */
const listPatienceMs = 2_000;
/** The same where a person has allowed a call, on a node that may have just begun. */
const continuePatienceMs = 30_000;

const paragraph = "\n\n";

function needsBreak(text: string): boolean {
  return text !== "" && !text.endsWith("\n");
}

function headersOf({ requestId, traceparent }: RunRequest): Readonly<Record<string, string>> {
  return { "x-request-id": requestId, ...(traceparent === undefined ? {} : { traceparent }) };
}
