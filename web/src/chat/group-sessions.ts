import type { SessionInfo } from "../api/types.ts";
import type { Texts } from "../text/en.ts";

export interface SessionGroup {
  readonly title: string;
  readonly sessions: SessionInfo[];
}

const dayMs = 86_400_000;

/** Sessions in their order: those that are pinned, the others by the day of their last activity. */
export function groupSessions(
  sessions: readonly SessionInfo[],
  texts: Texts,
  now = new Date(),
): SessionGroup[] {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const groups: SessionGroup[] = [];
  for (const session of sessions) {
    const time = Date.parse(session.last_activity);
    const title = session.pinned
      ? texts.pinned
      : time >= midnight
        ? texts.today
        : time >= midnight - dayMs
          ? texts.yesterday
          : time >= midnight - 7 * dayMs
            ? texts.lastWeek
            : texts.older;
    const group = groups.find((each) => each.title === title);
    if (group === undefined) groups.push({ title, sessions: [session] });
    else group.sessions.push(session);
  }
  return groups;
}
