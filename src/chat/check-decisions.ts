import type { Decision, Requirement } from "../agents/agent-backend.ts";
import { isRequired, Problem } from "../problems/problem.ts";

/** Raises `validation_failed` where these do not decide all that is open, and nothing else. */
export function checkDecisions(
  requirements: readonly Requirement[],
  decisions: readonly Pick<Decision, "id" | "approved" | "result">[],
): void {
  const open = new Map(requirements.map((requirement) => [requirement.id, requirement]));
  const details: { path: string; message: string; zh: string }[] = [];
  for (const [index, { id, approved, result }] of decisions.entries()) {
    const requirement = open.get(id);
    open.delete(id);
    if (requirement === undefined) {
      details.push({
        path: `/decisions/${index}/id`,
        message: `${id} is not an open requirement`,
        zh: `${id} 不是待处理的事项`,
      });
    } else if (approved && result === undefined && requirement.kind !== "confirm") {
      // The tool would run without what it asks for.
      details.push({ path: `/decisions/${index}/result`, ...isRequired });
    }
  }
  for (const id of open.keys())
    details.push({ path: "/decisions", message: `${id} is not decided`, zh: `${id} 尚未决定` });
  if (details.length > 0) throw new Problem("validation_failed", {}, { details });
}
