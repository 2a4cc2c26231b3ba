import { rootOf } from "../lib/root-of.ts";

/** What is wrong with a Redis. */
export interface RedisFault {
  /** In a few words, without addresses: for callers too. */
  readonly reason: string;
  /** What mends it, for operators. */
  readonly remedy: string;
}

/** What its user needs for all the work here; docs/scaling.md has the same line. */
function rights(keyPrefix: string): string {
  return `ACL SETUSER <user> ~${keyPrefix}* &${keyPrefix}* +@read +@write +@scripting +@pubsub +@connection +info`;
}

const connecting = "Start Redis there, or correct REDIS_URL; a single node runs without (unset it)";
const credentials: readonly [string, string] = [
  "the user or password is wrong or missing",
  "Correct REDIS_URL or REDIS_PASSWORD",
];
const known: readonly (readonly [RegExp, string, string])[] = [
  [/\b(NOAUTH|WRONGPASS)\b|invalid username-password|without any password/, ...credentials],
  [
    /\bREADONLY\b/,
    "a read-only replica",
    "Name the primary in REDIS_URL, or the Sentinels or the Cluster that know it",
  ],
  [
    /\bOOM\b/,
    "full: its memory is at maxmemory",
    "redis-cli CONFIG SET maxmemory <more> (and in redis.conf), or look for what fills it",
  ],
  [
    /\bMISCONF\b/,
    "takes no writes, because it cannot save to its disk",
    "Free space on the disk of Redis, or switch saving off (CONFIG SET save ''): nothing here needs it",
  ],
  [/\bNOREPLICAS\b/, "takes no writes, because it misses replicas", "Start its replicas"],
  [/\bLOADING\b/, "is still loading", "Wait a moment"],
  [/\bCLUSTERDOWN\b/, "the Cluster is down", "redis-cli --cluster check <host:port>"],
  [/\bMASTERDOWN\b/, "its primary is down", "Start the primary, or let Sentinel promote another"],
  [/ECONNREFUSED/, "nobody listens there (ECONNREFUSED)", connecting],
  [/ENOTFOUND|EAI_AGAIN/, "its name cannot be looked up", "Correct the host in REDIS_URL, or DNS"],
  [
    /not connected/,
    "cannot be reached",
    "Look at the line 'redis is away' in the log, and start Redis or correct REDIS_URL",
  ],
  [
    /ERR_SSL_|no answer|ETIMEDOUT|timed out|closed|ECONNRESET/i,
    "does not answer",
    `${connecting}; with TLS it is rediss://`,
  ],
];

/** Why Redis cannot do its work. */
export function explainRedis(error: unknown, keyPrefix: string): RedisFault {
  const { code, message } = rootOf(error);
  const text = `${code} ${message}`;
  const refused = /NOPERM[^']*?(?:'([\w|]+)'|(key|channel)s?\b)/.exec(text);
  if (refused !== null) {
    const [, command, kind] = refused;
    const what = command === undefined ? `the ${kind}s ${keyPrefix}*` : command.toUpperCase();
    return { reason: `this user may not use ${what}`, remedy: rights(keyPrefix) };
  }
  const [, reason, remedy] = known.find(([pattern]) => pattern.test(text)) ?? [];
  return reason === undefined || remedy === undefined
    ? { reason: "refuses commands", remedy: `Look into its log: ${message}` }
    : { reason, remedy };
}
