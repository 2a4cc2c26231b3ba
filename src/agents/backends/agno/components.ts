import type { AgentDescriptor } from "../../agent-backend.ts";
import { asList, asRecord, asText, asTexts, type Wire } from "./wire.ts";

export type ComponentKind = AgentDescriptor["type"];

/** One agent, team or workflow of one AgentOS server. */
export interface Component {
  readonly kind: ComponentKind;
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly model: string | null;
  readonly tools: readonly string[];
  /** Members of a team. */
  readonly members: readonly string[];
  /** Where its sessions are; null: it has no database, so it can neither remember nor run in the background. */
  readonly databaseId: string | null;
  /** Where the documents are that it looks things up in; null: it has none. */
  readonly knowledge: KnowledgePlace | null;
  /** How many of the last runs of a session it puts before its model, or can look up; as good as known. */
  readonly historyRuns: number;
  /** Of /config; what one might ask it first. */
  readonly prompts?: readonly string[];
  /** Wants an object as its input, not a chat message with more around it. */
  readonly structuredInput: boolean;
  /** False: its author wants what it asks to be decided by buttons alone. */
  readonly answersInWords?: boolean;
  /** For callers. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface KnowledgePlace {
  readonly databaseId: string;
  readonly table: string;
}

/** Plumbing of teams; who the members are is listed instead. */
const delegationTools = new Set(["delegate_task_to_member", "delegate_task_to_members"]);

/**
 * An entry of `GET /agents`, `/teams`, `/workflows`, or of `GET /config`, which has less in it; null without an id.
 */
export function toComponent(
  kind: ComponentKind,
  entry: Wire,
  source: "list" | "config",
): Component | null {
  const id =
    asText(entry["id"]) ??
    asText(entry["agent_id"]) ??
    asText(entry["team_id"]) ??
    asText(entry["workflow_id"]);
  if (!id) return null;
  const model = asRecord(entry["model"]);
  const members = asList(entry["members"]).flatMap((member) => asText(member["id"]) ?? []);
  const tools = asList(asRecord(entry["tools"])["tools"])
    .flatMap((tool) => asText(tool["name"]) ?? [])
    .filter((name) => !delegationTools.has(name));
  const mode = asText(entry["mode"]);
  const introduction = asText(entry["introduction"]);
  const written = asRecord(entry["metadata"]);
  const framework = asText(written["framework"]);
  return {
    kind,
    id,
    name: asText(entry["name"]) ?? id,
    description: asText(entry["description"]) ?? asText(entry["role"]) ?? "",
    // The lists say `model`, the summaries of /config say `id`.
    model: asText(model["model"]) ?? asText(model["id"]) ?? null,
    tools,
    members,
    databaseId: asText(entry["db_id"]) ?? null,
    knowledge: toKnowledgePlace(asRecord(entry["knowledge"])),
    historyRuns: kind === "workflow" ? 0 : source === "config" ? defaultRuns : historyRuns(entry),
    structuredInput: Object.keys(asRecord(entry["input_schema"])).length > 0,
    ...(written["answers_in_words"] === false && { answersInWords: false }),
    metadata: {
      ...(mode ? { mode } : {}),
      ...(members.length > 0 ? { members } : {}),
      ...(introduction ? { introduction } : {}),
      ...(framework ? { framework } : {}),
      ...(entry["is_factory"] === true ? { is_factory: true } : {}),
    },
  };
}

function toKnowledgePlace({ db_id, knowledge_table }: Wire): KnowledgePlace | null {
  const databaseId = asText(db_id);
  const table = asText(knowledge_table);
  return databaseId !== undefined && table !== undefined ? { databaseId, table } : null;
}

/** Of an agent that puts any before its model and does not say how many. */
const defaultRuns = 3;

/** Lists leave out what is at its default; of a factory they know nothing. */
function historyRuns(entry: Wire): number {
  const sessions = asRecord(entry["sessions"]);
  if (entry["is_factory"] === true || sessions["add_history_to_context"] === true) {
    const runs = sessions["num_history_runs"];
    return typeof runs === "number" ? runs : defaultRuns;
  }
  const tools = asRecord(entry["default_tools"]);
  const looksUp = [tools["read_chat_history"], tools["read_team_history"]].includes(true);
  return looksUp ? Number.POSITIVE_INFINITY : 0;
}

/** What /config suggests to ask a component first: 3.x says it in its manifest, all versions under `chat`. */
export function quickPrompts(config: Wire, id: string): readonly string[] {
  const own = asTexts(asRecord(asRecord(config["manifest"])[id])["quick_prompts"]);
  return own.length > 0 ? own : asTexts(asRecord(asRecord(config["chat"])["quick_prompts"])[id]);
}

/** What callers see of it. */
export function toDescriptor(
  component: Component,
  agentId: string,
  server: { readonly name: string; readonly version: string | null },
): AgentDescriptor {
  return {
    agentId,
    name: component.name,
    description: component.description,
    type: component.kind,
    model: component.model,
    tools: [...component.tools, ...component.members],
    ...(component.prompts !== undefined &&
      component.prompts.length > 0 && { prompts: component.prompts }),
    ...(component.answersInWords === false && { answersInWords: false }),
    metadata: {
      ...component.metadata,
      ...(component.kind === "workflow" ? { attachments: [] } : {}),
      server: server.name,
      ...(server.version ? { agno_version: server.version } : {}),
    },
  };
}

/**
 * The steps whose text is the answer of a workflow while it is being written. That is known beforehand only when the
 * last step is an agent or a team, perhaps in a group or behind a condition; the result of a loop, a router, parallel
 * steps or a function is known at the end. Names that occur twice are left out: events tell steps by name.
 */
export function answeringSteps(workflow: Wire): ReadonlySet<string> {
  const steps = asList(workflow["steps"]);
  const counts = new Map<string, number>();
  countNames(steps, counts, 0);
  const names = lastNames(steps, 0).filter((name) => counts.get(name) === 1);
  return new Set(names);
}

const maxDepth = 20;

function lastNames(steps: readonly Wire[], depth: number): readonly string[] {
  const last = steps.at(-1);
  if (!last || depth > maxDepth) return [];
  switch (last["type"]) {
    case "Step": {
      const name = asText(last["name"]);
      return name && (last["agent"] || last["team"]) ? [name] : [];
    }
    case "Steps":
      return lastNames(asList(last["steps"]), depth + 1);
    case "Condition":
      return [
        ...lastNames(asList(last["steps"]), depth + 1),
        ...lastNames(asList(last["else_steps"]), depth + 1),
      ];
    default:
      return [];
  }
}

function countNames(steps: readonly Wire[], counts: Map<string, number>, depth: number): void {
  if (depth > maxDepth) return;
  for (const step of steps) {
    const name = asText(step["name"]);
    if (name) counts.set(name, (counts.get(name) ?? 0) + 1);
    countNames(asList(step["steps"]), counts, depth + 1);
    countNames(asList(step["else_steps"]), counts, depth + 1);
  }
}
