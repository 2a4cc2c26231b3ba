import { toJsonb } from "../../lib/clean-text.ts";

/** What has to be known of a session before a turn in it can be stored. */
export interface KnownSession {
  readonly userId: string;
  readonly agentId: string;
  readonly config: Readonly<Record<string, unknown>>;
}

export type KnownSessions = ReturnType<typeof createKnownSessions>;

const maxSessions = 10_000;
/** Of its JSON, which goes along each time. */
const maxConfigLength = 1_000;

/**
 * Sessions as this node saw them last. Nothing may be built on that but a statement which asks itself whether it still
 * holds: other nodes, and other requests, change them.
 */
export function createKnownSessions(max = maxSessions) {
  /** The first is the one that was seen longest ago. */
  const sessions = new Map<string, KnownSession & { readonly configJson: string }>();
  return {
    find: (sessionId: string) => sessions.get(sessionId),

    saw(sessionId: string, { userId, agentId, config }: KnownSession): void {
      sessions.delete(sessionId);
      const configJson = toJsonb(config);
      if (configJson.length > maxConfigLength) return;
      sessions.set(sessionId, { userId, agentId, config, configJson });
      for (const [first] of sessions) {
        if (sessions.size <= max) break;
        sessions.delete(first);
      }
    },
  };
}
