import { Problem } from "../../../problems/problem.ts";
import type { AgentEvent, RunRequest } from "../../agent-backend.ts";
import type { ModelDelta, ModelToolCall } from "./chat-protocol.ts";
import { colleaguesOf } from "./colleagues.ts";
import { promptFor } from "./prompt.ts";
import { answerCalls } from "./tool-calls.ts";
import { findTool } from "./tools.ts";
import {
  maxDepth,
  maxKeptLength,
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
  const work = (member: Turn, both: AbortSignal) => speak(() => member, options, both);
  for (;;) {
    const mayCall = reply.modelCalls < maxModelCalls;
    reply.sent += 1;
    const completion = await route.source.complete(
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
    const hear = (delta: ModelDelta): AgentEvent | null => {
      switch (delta.type) {
        case "text": {
          // What is said before a tool is used and what is said after it are two paragraphs.
          const said = text === "" && needsBreak(turn.text) ? paragraph + delta.text : delta.text;
          if (text.length < maxKeptLength) text += said;
          return addressed ? { type: "text", text: said } : null;
        }
        case "reasoning":
          return addressed ? delta : { ...delta, agentId: agent.id };
        case "usage":
          return delta;
        case "end":
          turn.reason = delta.reason;
          calls = delta.toolCalls;
          return null;
      }
    };
    try {
      for (let deltas = await completion.next(); deltas; deltas = await completion.next()) {
        for (const delta of deltas) {
          const event = hear(delta);
          if (event !== null) yield event;
        }
      }
    } finally {
      completion.close();
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
    yield* answerCalls(calls, { turn, colleagues, options, work }, signal);
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
