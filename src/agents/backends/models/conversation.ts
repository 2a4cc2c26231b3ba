import { Problem } from "../../../problems/problem.ts";
import type { Logger } from "../../../telemetry/logger.ts";
import {
  AgentInterrupted,
  type AgentEvent,
  type HistoryMessage,
  type RunRequest,
} from "../../agent-backend.ts";
import { localized } from "./agents.ts";
import type { ChatMessage, FinishReason, ModelToolCall } from "./chat-protocol.ts";
import { colleaguesOf, type Colleague } from "./colleagues.ts";
import type { ModelAgent } from "./default-agents.ts";
import { merge } from "./merge.ts";
import type { ModelRouter } from "./model-router.ts";
import { delegatedMessage, promptFor } from "./prompt.ts";
import { ToolFault } from "./tool.ts";
import { findTool } from "./tools.ts";

/** Requests to models for one reply, those of delegates included; the last one may not call tools any more. */
const maxModelCalls = 10;
/** The agent addressed, the one it asks, and the one that asks in turn. */
const maxDepth = 3;
/** Of one round's calls at the same time. */
const maxParallelCalls = 4;
/** What is kept of an agent's words to be told to a model again. */
const maxKeptLength = 64 * 1024;

export interface ConversationOptions {
  readonly agents: ReadonlyMap<string, ModelAgent>;
  readonly router: ModelRouter;
  /** Earlier messages that agents are told; 0: none. */
  readonly historyMessages: number;
  readonly log: Logger;
}

/** What all agents at work on one reply share. */
interface Reply {
  readonly request: RunRequest;
  readonly history: readonly HistoryMessage[];
  /** Requests to models so far, with the next one of each agent at work: counted before anything is waited for. */
  modelCalls: number;
  /** Numbers the requests that were sent. */
  sent: number;
}

/** One agent at work, and what came of it. */
interface Turn {
  readonly agent: ModelAgent;
  /** Ids of the agents that wait for this one, itself included. */
  readonly chain: readonly string[];
  readonly reply: Reply;
  readonly messages: ChatMessage[];
  /** Its words, cut at 64 KiB. */
  text: string;
  reason: FinishReason;
}

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

async function begin(
  request: RunRequest,
  options: ConversationOptions,
  signal: AbortSignal,
): Promise<Turn> {
  signal.throwIfAborted();
  const agent = options.agents.get(request.agentId);
  if (!agent) throw new Problem("agent_not_found", { agentId: request.agentId });
  const limit = options.historyMessages;
  const history = limit > 0 ? await request.history(limit) : [];
  return {
    agent,
    chain: [agent.id],
    reply: { request, history, modelCalls: 1, sent: 0 },
    messages: promptFor(agent, request, history, request.message),
    text: "",
    reason: "stop",
  };
}

/**
 * Lets the agent of a turn work on its messages until it answers. Only the agent addressed is heard, and ends the
 * reply. All of it is one generator: each one more would cost time for each token.
 */
async function* speak(
  prepare: () => Turn | Promise<Turn>,
  options: ConversationOptions,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void, void> {
  const turn = await prepare();
  const { agent, chain, messages, reply } = turn;
  const { request } = reply;
  const addressed = chain.length === 1;
  // The session's choices are for the agent addressed; others keep their own.
  const { model: wanted = agent.model, temperature = agent.temperature } = addressed
    ? request.settings
    : {};
  const route = await options.router.route(wanted, request, signal);
  const colleagues =
    chain.length < maxDepth ? colleaguesOf(agent, options.agents, chain, request.language) : [];
  const tools = [
    ...colleagues.map((colleague) => colleague.definition),
    ...agent.tools.flatMap((name) => findTool(name)?.definition ?? []),
  ];
  for (;;) {
    const mayCall = reply.modelCalls < maxModelCalls;
    reply.sent += 1;
    const completion = route.source.complete(
      {
        model: route.model,
        messages,
        tools,
        toolChoice: mayCall ? "auto" : "none",
        ...(temperature === null ? {} : { temperature }),
        agentId: request.agentId,
        idempotencyKey: `${request.replyId}-${request.attempt}-${reply.sent}`,
        headers: headersOf(request),
      },
      signal,
    );
    let calls: readonly ModelToolCall[] = [];
    let text = "";
    for await (const delta of completion) {
      switch (delta.type) {
        case "text":
          // What is said before a tool is used and what is said after it are two paragraphs.
          if (text === "" && needsBreak(turn.text)) {
            text = paragraph;
            if (addressed) yield { type: "text", text: paragraph };
          }
          if (addressed) yield delta;
          if (text.length < maxKeptLength) text += delta.text;
          break;
        case "reasoning":
          yield addressed ? delta : { ...delta, agentId: agent.id };
          break;
        case "usage":
          yield delta;
          break;
        case "end":
          turn.reason = delta.reason;
          calls = delta.toolCalls;
          break;
      }
    }
    if (turn.text.length < maxKeptLength) turn.text += text;
    // It calls although it was told not to: the rounds are used up.
    if (calls.length > 0 && !mayCall) turn.reason = "length";
    if (calls.length === 0 || !mayCall) {
      if (addressed) yield { type: "finish", reason: turn.reason };
      return;
    }
    messages.push({
      role: "assistant",
      content: text === "" ? null : text.trimStart(),
      tool_calls: calls.map(({ id, name, argumentsText }) => ({
        id,
        type: "function",
        function: { name, arguments: argumentsText },
      })),
    });
    yield* answerCalls(calls, { turn, colleagues, options }, signal);
    reply.modelCalls += 1;
  }
}

const paragraph = "\n\n";

function needsBreak(text: string): boolean {
  return text !== "" && !text.endsWith("\n");
}

function headersOf({ requestId, traceparent }: RunRequest): Readonly<Record<string, string>> {
  return { "x-request-id": requestId, ...(traceparent === undefined ? {} : { traceparent }) };
}

/** Where calls of tools were made. */
interface Place {
  readonly turn: Turn;
  readonly colleagues: readonly Colleague[];
  readonly options: ConversationOptions;
}

/** Does what one round's calls ask for, side by side, and adds the results to the messages in the calls' order. */
async function* answerCalls(
  calls: readonly ModelToolCall[],
  place: Place,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void, void> {
  const together = new AbortController();
  const both = AbortSignal.any([signal, together.signal]);
  const answers = calls.map((call) => ({ call, result: "" }));
  yield* merge(
    answers.map((answer) => answerCall(answer, place, both)),
    maxParallelCalls,
    () => together.abort(),
  );
  for (const { call, result } of answers) {
    place.turn.messages.push({ role: "tool", tool_call_id: call.id, content: result });
  }
}

interface Answer {
  readonly call: ModelToolCall;
  /** For the model. */
  result: string;
}

/** Mistakes of the model, and colleagues that fail, become results that it can react to. */
async function* answerCall(
  answer: Answer,
  place: Place,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void, void> {
  const { call } = answer;
  const { agent, chain } = place.turn;
  const event = {
    type: "tool",
    toolCallId: call.id,
    name: call.name,
    ...(chain.length === 1 ? {} : { agentId: agent.id }),
  } as const;
  try {
    const args = parseArguments(call.argumentsText);
    const colleague = place.colleagues.find((each) => each.definition.function.name === call.name);
    if (colleague) {
      answer.result = yield* delegate(colleague, args, place, signal);
      return;
    }
    const tool = agent.tools.includes(call.name) ? findTool(call.name) : null;
    if (!tool) throw new ToolFault("there is no tool of this name");
    yield { ...event, status: "started", arguments: args };
    answer.result = await tool.run(args);
    yield { ...event, status: "completed", arguments: args, result: answer.result };
  } catch (error) {
    if (!(error instanceof ToolFault)) throw error;
    answer.result = `Error: ${error.message}`;
    yield { ...event, status: "failed", result: answer.result };
  }
}

function parseArguments(text: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    // The model is told, and may call again.
    throw new ToolFault("the arguments are not valid JSON");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new ToolFault("the arguments must be a JSON object");
  }
  return parsed as Readonly<Record<string, unknown>>;
}

/** Lets a colleague work on a task; returns its answer. */
async function* delegate(
  colleague: Colleague,
  args: Readonly<Record<string, unknown>>,
  { turn, options }: Place,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, string, void> {
  const { reply } = turn;
  const { request, history } = reply;
  const { task } = args;
  if (typeof task !== "string" || task.trim() === "") throw new ToolFault("task must be a text");
  if (reply.modelCalls >= maxModelCalls) {
    throw new ToolFault("nobody can be asked any more; answer with what you have");
  }
  reply.modelCalls += 1;
  const event = {
    type: "agent",
    agentId: colleague.agent.id,
    name: localized(colleague.agent.name, request.language),
    parentAgentId: turn.agent.id,
  } as const;
  yield { ...event, event: "handoff" };
  yield { ...event, event: "member_started" };
  const message = delegatedMessage(task, turn.agent, request);
  const member: Turn = {
    agent: colleague.agent,
    chain: [...turn.chain, colleague.agent.id],
    reply,
    messages: promptFor(colleague.agent, request, history, message),
    text: "",
    reason: "stop",
  };
  try {
    yield* speak(() => member, options, signal);
  } catch (error) {
    const faulty = error instanceof Problem || error instanceof AgentInterrupted;
    if (signal.aborted || !faulty) throw error;
    options.log.warn({ agentId: colleague.agent.id, err: error }, "a delegate failed");
    yield { ...event, event: "member_completed" };
    throw new ToolFault("the colleague could not answer; go on without");
  }
  yield { ...event, event: "member_completed", detail: member.text };
  return member.text === "" ? "(no answer)" : member.text;
}
