import type { Task } from "../api/types.ts";
import { agentName, agents } from "../state/catalogue.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";

const icons = {
  pending: "clock",
  in_progress: "retry",
  completed: "check",
  failed: "alert",
  blocked: "alert",
} as const;

/** What the agent has set itself to do, and how far it is. */
export function Tasks({ tasks }: { readonly tasks: readonly Task[] }) {
  const texts = useTexts();
  const list = useStore(agents);
  if (tasks.length === 0) return null;
  return (
    <ul className="tasks" aria-label={texts.tasks}>
      {tasks.map(({ id, title, status, assignee }) => (
        <li key={id} className={status}>
          <Icon name={icons[status]} size={15} />
          <span className="off-screen">{texts.taskStatus[status]}: </span>
          <span dir="auto">{title}</span>
          {assignee !== undefined && (
            <span className="quiet" dir="auto">
              {agentName(list, assignee)}
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}
