import { Problem } from "../../../problems/problem.ts";
import type { AgentEvent, Decision, Requirement, RunRequest } from "../../agent-backend.ts";
import { localized } from "./agents.ts";
import type { ChatMessage, ModelToolCall } from "./chat-protocol.ts";
import type { ModelAgent } from "./default-agents.ts";
import type { Answer, Reply, Turn } from "./turn.ts";

type Paused = Extract<AgentEvent, { type: "paused" }>;
type State = Paused["state"];

/** A turn as it waits in the database: any node can go on with it. */
interface StoredTurn {
  readonly agentId: string;
  readonly message: string;
  readonly rounds: readonly ChatMessage[];
  readonly text: string;
  readonly mediaLength: number;
  readonly answers: readonly StoredAnswer[];
}

interface StoredAnswer {
  readonly call: ModelToolCall;
  readonly result: string | null;
  readonly requirementId: string | null;
  readonly member: StoredTurn | null;
}

interface StoredState {
  readonly version: 1;
  readonly modelCalls: number;
  readonly sent: number;
  readonly asked: number;
  readonly turn: StoredTurn;
}

/** In UTF-16 units of JSON. */
const maxStateLength = 1024 * 1024;
/** What is left of results of tools where the state would be larger. */
const shortResultLength = 1_000;

/** What people are asked, of the agent addressed and of those that it has asked. */
export function pausedEvent(turn: Turn): Paused {
  const { modelCalls, sent, asked } = turn.reply;
  const state = { version: 1, modelCalls, sent, asked, turn: store(turn, Infinity) } as const;
  const isSmall = JSON.stringify(state).length <= maxStateLength;
  return {
    type: "paused",
    requirements: requirementsOf(turn),
    state: isSmall ? { ...state } : { ...state, turn: store(turn, shortResultLength) },
  };
}

function requirementsOf({ agent, chain, reply, waiting }: Turn): readonly Requirement[] {
  const member =
    chain.length === 1 ? {} : { member: localized(agent.name, reply.request.language) };
  return (waiting ?? []).flatMap(({ call, result, requirementId, member: asked }) => {
    if (asked !== null) return requirementsOf(asked);
    if (result !== null || requirementId === null) return [];
    const args = JSON.parse(call.argumentsText.trim() || "{}") as Readonly<Record<string, unknown>>;
    const { name: tool } = call;
    return { id: requirementId, kind: "confirm", tool, arguments: { ...member, ...args } } as const;
  });
}

function store(turn: Turn, maxResultLength: number): StoredTurn {
  const { agent, message, rounds, text, mediaLength, waiting } = turn;
  return {
    agentId: agent.id,
    message,
    rounds: rounds.map((each) =>
      each.role === "tool" ? { ...each, content: shorten(each.content, maxResultLength) } : each,
    ),
    text,
    mediaLength,
    answers: (waiting ?? []).map(({ call, result, requirementId, member }) => ({
      call,
      result: result === null ? null : shorten(result, maxResultLength),
      requirementId,
      member: member === null ? null : store(member, maxResultLength),
    })),
  };
}

function shorten(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}\n[cut]`;
}

interface Restoration {
  readonly request: RunRequest;
  readonly state: State;
  readonly decisions: readonly Decision[];
  readonly agents: ReadonlyMap<string, ModelAgent>;
}

/** The turn of the agent addressed, as it paused. Raises `agent_failed` where an agent is not there any more. */
export function restoreTurn({ request, state, decisions, agents }: Restoration): Turn {
  const stored = state as unknown as StoredState;
  const unusable = (why: string) =>
    new Problem("agent_failed", { agentId: request.agentId }, { cause: new Error(why) });
  if (stored.version !== 1) throw unusable("the state of the pause is of no use here");
  const reply: Reply = {
    request,
    past: null,
    modelCalls: stored.modelCalls,
    sent: stored.sent,
    asked: stored.asked,
    decisions: new Map(decisions.map((decision) => [decision.id, decision])),
  };
  const restore = (turn: StoredTurn, before: readonly string[]): Turn => {
    const { agentId, message, rounds, text, mediaLength, answers } = turn;
    const agent = agents.get(agentId);
    if (agent === undefined) throw unusable(`there is no agent ${agentId} any more`);
    const chain = [...before, agentId];
    return {
      agent,
      chain,
      reply,
      message,
      rounds: [...rounds],
      waiting: answers.map((answer): Answer => {
        const { member } = answer;
        return { ...answer, member: member === null ? null : restore(member, chain) };
      }),
      text,
      mediaLength,
      reason: "stop",
    };
  };
  return restore(stored.turn, []);
}
