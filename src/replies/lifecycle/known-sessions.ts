import { toJsonb } from "../../lib/clean-text.ts";

/** What has to be known of a session before a turn in it can be stored. */
export interface KnownSession {
  readonly userId: string;
  readonly agentId: string;
  readonly config: Readonly<Record<string, unknown>>;
}

interface SeenSession extends KnownSession {
  readonly configJson: string;
  readonly seenMs: number;
}

export type KnownSessions = ReturnType<typeof createKnownSessions>;

const maxSessions = 10_000;
/** What a user has configured does not stay here for long after it is deleted. */
const maxAgeMs = 10 * 60_000;
/** Of its JSON, which goes along each time. */
const maxConfigLength = 1_000;

/**
 * Sessions as this node saw them last. Nothing may be built on that but a statement which asks itself whether it still
 * holds: other nodes, and other requests, change them.
 */
export function createKnownSessions(max = maxSessions, now = () => performance.now()) {
  /** The first is the one that was seen longest ago. */
  const sessions = new Map<string, SeenSession>();
  const isOld = ({ seenMs }: SeenSession) => now() - seenMs > maxAgeMs;
  return {
    find(sessionId: string): Omit<SeenSession, "seenMs"> | undefined {
      const found = sessions.get(sessionId);
      return found === undefined || isOld(found) ? undefined : found;
    },

    saw(sessionId: string, { userId, agentId, config }: KnownSession): void {
      sessions.delete(sessionId);
      const configJson = toJsonb(config);
      if (configJson.length > maxConfigLength) return;
      sessions.set(sessionId, { userId, agentId, config, configJson, seenMs: now() });
      for (const [first, session] of sessions) {
        if (sessions.size <= max && !isOld(session)) break;
        sessions.delete(first);
      }
    },
  };
}
