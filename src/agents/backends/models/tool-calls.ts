import { Problem } from "../../../problems/problem.ts";
import { AgentInterrupted, type AgentEvent, type Decision } from "../../agent-backend.ts";
import { localized } from "./agents.ts";
import type { Colleague } from "./colleagues.ts";
import { merge } from "./merge.ts";
import { delegatedMessage } from "./prompt.ts";
import { ToolFault, type Tool } from "./tool.ts";
import {
  maxMediaLength,
  maxModelCalls,
  type Answer,
  type ConversationOptions,
  type Turn,
} from "./turn.ts";

/** Of one round's calls at the same time. */
const maxParallelCalls = 4;

/** Where calls of tools were made. */
export interface Place {
  readonly turn: Turn;
  readonly colleagues: readonly Colleague[];
  readonly tools: ReadonlyMap<string, Tool>;
  readonly options: ConversationOptions;
  /** Lets a colleague work until it has answered, or waits for a person. */
  readonly work: (turn: Turn, signal: AbortSignal) => AsyncGenerator<AgentEvent, void, void>;
}

/**
 * Does what one round's calls ask for, side by side, and adds the results to the messages in the calls' order. Where some
 * wait for a person the others are done all the same, nothing is added yet, and all are returned; else null.
 */
export async function* answerCalls(
  answers: readonly Answer[],
  place: Place,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, readonly Answer[] | null, void> {
  const together = new AbortController();
  const both = AbortSignal.any([signal, together.signal]);
  yield* merge(
    answers
      .filter(({ result }) => result === null)
      .map((answer) => answerCall(answer, place, both)),
    maxParallelCalls,
    () => together.abort(),
  );
  if (answers.some(({ result }) => result === null)) return answers;
  for (const { call, result } of answers) {
    place.turn.rounds.push({ role: "tool", tool_call_id: call.id, content: result ?? "" });
  }
  return null;
}

/**
 * Mistakes of the model, colleagues that fail and tools that cannot be used become results that it can react to. Without
 * a result it waits for a person.
 */
async function* answerCall(
  answer: Answer,
  place: Place,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void, void> {
  const { call } = answer;
  const { agent, chain, reply } = place.turn;
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
      answer.result = yield* delegate(answer, colleague, args, place, signal);
      return;
    }
    const tool = place.tools.get(call.name);
    if (!tool) throw new ToolFault("there is no tool of this name");
    if (tool.needsApproval === true) {
      if (answer.requirementId === null) {
        reply.asked += 1;
        answer.requirementId = `${call.id}-${reply.asked}`;
        return;
      }
      checkApproval(reply.decisions.get(answer.requirementId));
    }
    yield { ...event, status: "started", arguments: args };
    const { text, media = [] } = await tool.run(args, signal);
    for (const each of media) {
      place.turn.mediaLength += each.url.length;
      if (place.turn.mediaLength <= maxMediaLength) {
        yield { type: "media", ...each, ...(chain.length === 1 ? {} : { agentId: agent.id }) };
      }
    }
    answer.result = text;
    yield { ...event, status: "completed", arguments: args, result: answer.result };
  } catch (error) {
    if (!(error instanceof ToolFault)) throw error;
    answer.result = `Error: ${error.message}`;
    yield { ...event, status: "failed", result: answer.result };
  }
}

/** What nobody has decided counts as declined. */
function checkApproval(decision: Decision | undefined): void {
  if (decision?.approved === true) return;
  const note = decision?.note === undefined ? "" : `: ${decision.note}`;
  throw new ToolFault(`the user has declined this call${note}`);
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

/** Lets a colleague work on a task; returns its answer, or null where it waits for a person. */
async function* delegate(
  answer: Answer,
  colleague: Colleague,
  args: Readonly<Record<string, unknown>>,
  { turn, options, work }: Place,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, string | null, void> {
  const { request } = turn.reply;
  const event = {
    type: "agent",
    agentId: colleague.agent.id,
    name: localized(colleague.agent.name, request.language),
    parentAgentId: turn.agent.id,
  } as const;
  const member = answer.member ?? ask(turn, colleague, args);
  if (answer.member === null) {
    yield { ...event, event: "handoff" };
    yield { ...event, event: "member_started" };
  }
  answer.member = null;
  try {
    yield* work(member, signal);
  } catch (error) {
    const faulty = error instanceof Problem || error instanceof AgentInterrupted;
    if (signal.aborted || !faulty) throw error;
    options.log.warn({ agentId: colleague.agent.id, err: error }, "a delegate failed");
    yield { ...event, event: "member_failed" };
    throw new ToolFault("the colleague could not answer; go on without");
  }
  if (member.waiting !== null) {
    answer.member = member;
    return null;
  }
  yield { ...event, event: "member_completed", detail: member.text };
  return member.text === "" ? "(no answer)" : member.text;
}

function ask(turn: Turn, { agent }: Colleague, { task }: Readonly<Record<string, unknown>>): Turn {
  const { reply } = turn;
  if (typeof task !== "string" || task.trim() === "") throw new ToolFault("task must be a text");
  if (reply.modelCalls >= maxModelCalls) {
    throw new ToolFault("nobody can be asked any more; answer with what you have");
  }
  reply.modelCalls += 1;
  return {
    agent,
    chain: [...turn.chain, agent.id],
    reply,
    message: delegatedMessage(task, turn.agent, reply.request),
    rounds: [],
    waiting: null,
    text: "",
    mediaLength: 0,
    reason: "stop",
  };
}
