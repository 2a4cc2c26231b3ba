import type { CustomEvent, ToolCall } from "../api/types.ts";
import { agentName, agents } from "../state/catalogue.ts";
import type { Member, MessageView } from "../state/reply-view.ts";
import { useStore } from "../state/store.ts";
import type { Texts } from "../text/en.ts";
import { useTexts } from "../text/use-texts.ts";
import { Icon, type IconName } from "../ui/icons.tsx";
import { readable } from "./words.ts";

/** Tools and team members, at work and done. */
export function Steps({ message }: { readonly message: MessageView }) {
  const members = message.live?.members ?? [];
  const calls = (message.tool_calls ?? []) as unknown as readonly ToolCall[];
  const events = message.custom_events ?? [];
  if (members.length + calls.length + events.length === 0) return null;
  const isOver = message.status !== "streaming" && message.status !== "queued";
  return (
    <ul className="steps">
      {members.map((member, index) => (
        <li key={`${member.agentId}-${index}`}>
          <MemberView member={member} isOver={isOver} />
        </li>
      ))}
      {calls.map((call) => (
        <li key={call.tool_call_id}>
          <ToolView call={call} by={message.agent_id} isOver={isOver} />
        </li>
      ))}
      {events.map((event, index) => (
        <li key={index}>
          <CustomView event={event} />
        </li>
      ))}
    </ul>
  );
}

function memberTitle(texts: Texts, member: Member, isDone: boolean): string {
  if (member.kind === "memory") return texts.noted;
  if (member.kind === "compaction") return texts.compacted;
  if (member.kind === "branch" || member.kind === "iteration")
    return texts[member.kind](member.name, member.fact ?? "");
  if (member.hasFailed) return texts.toolFailed(member.name);
  return isDone ? `${texts.member[member.kind]} ${member.name}` : texts.working(member.name);
}

const icons: Partial<Record<Member["kind"], IconName>> = {
  branch: "chevron",
  iteration: "retry",
  memory: "pencil",
  compaction: "archive",
};

function MemberView({ member, isOver }: { readonly member: Member; readonly isOver: boolean }) {
  const texts = useTexts();
  const isDone = member.isDone || isOver;
  const title = (
    <>
      <Icon name={member.hasFailed ? "alert" : (icons[member.kind] ?? "people")} size={16} />
      <span className={isDone ? "" : "shimmer"} dir="auto">
        {memberTitle(texts, member, isDone)}
      </span>
      {isDone && !member.hasFailed && (member.kind === "member" || member.kind === "step") && (
        <Icon name="check" size={15} />
      )}
    </>
  );
  if (member.detail === null || member.detail === "") return <div className="step">{title}</div>;
  return (
    <details className="step">
      <summary>
        {title}
        <Icon name="chevron" size={14} />
      </summary>
      <div className="step-body" dir="auto">
        {member.detail}
      </div>
    </details>
  );
}

interface ToolViewProps {
  readonly call: ToolCall;
  /** The agent that replies; others are named. */
  readonly by: string;
  readonly isOver: boolean;
}

function ToolView({ call, by, isOver }: ToolViewProps) {
  const texts = useTexts();
  const list = useStore(agents);
  const isRunning = call.status === "started" && !isOver;
  const words = { started: texts.toolRunning, completed: texts.toolDone, failed: texts.toolFailed };
  return (
    <details className={`step ${call.status}`}>
      <summary>
        <Icon name={call.status === "failed" ? "alert" : "tool"} size={16} />
        <span className={isRunning ? "shimmer" : ""} dir="auto">
          {isRunning || call.status === "failed"
            ? words[call.status](call.name)
            : texts.toolDone(call.name)}
        </span>
        {call.agent_id !== undefined && call.agent_id !== by && (
          <span className="quiet" dir="auto">
            {agentName(list, call.agent_id)}
          </span>
        )}
        <Icon name="chevron" size={14} />
      </summary>
      <div className="step-body">
        {call.arguments !== undefined && <Value title={texts.arguments} value={call.arguments} />}
        {call.result !== undefined && <Value title={texts.result} value={call.result} />}
      </div>
    </details>
  );
}

/** What an agent's author wants shown, in a form of the author's own. */
function CustomView({ event }: { readonly event: CustomEvent }) {
  const title = (
    <>
      <Icon name="info" size={16} />
      <span dir="auto">{event.name}</span>
    </>
  );
  const { data = {} } = event;
  if (Object.keys(data).length === 0) return <div className="step">{title}</div>;
  return (
    <details className="step">
      <summary>
        {title}
        <Icon name="chevron" size={14} />
      </summary>
      <div className="step-body">
        <pre tabIndex={0} dir="auto">
          {readable(data)}
        </pre>
      </div>
    </details>
  );
}

function Value({ title, value }: { readonly title: string; readonly value: unknown }) {
  return (
    <>
      <h3>{title}</h3>
      <pre tabIndex={0} dir="auto">
        {readable(value)}
      </pre>
    </>
  );
}
