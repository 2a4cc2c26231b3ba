import { Problem } from "../../../problems/problem.ts";
import { AgentInterrupted, type AgentEvent } from "../../agent-backend.ts";
import { localized } from "./agents.ts";
import type { ModelToolCall } from "./chat-protocol.ts";
import type { Colleague } from "./colleagues.ts";
import { merge } from "./merge.ts";
import { delegatedMessage, promptFor } from "./prompt.ts";
import { ToolFault } from "./tool.ts";
import { findTool } from "./tools.ts";
import { maxModelCalls, type ConversationOptions, type Turn } from "./turn.ts";

/** Of one round's calls at the same time. */
const maxParallelCalls = 4;

/** Where calls of tools were made. */
export interface Place {
  readonly turn: Turn;
  readonly colleagues: readonly Colleague[];
  readonly options: ConversationOptions;
  /** Lets a colleague work until it has answered. */
  readonly work: (turn: Turn, signal: AbortSignal) => AsyncGenerator<AgentEvent, void, void>;
}

/** Does what one round's calls ask for, side by side, and adds the results to the messages in the calls' order. */
export async function* answerCalls(
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
  { turn, options, work }: Place,
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
    mediaLength: 0,
    reason: "stop",
  };
  try {
    yield* work(member, signal);
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
