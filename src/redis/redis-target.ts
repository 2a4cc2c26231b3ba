/** Where Redis is, read from `redis.url`. */
export interface RedisTarget {
  readonly kind: "single" | "sentinel" | "cluster";
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly tls: boolean;
  readonly username: string | null;
  readonly password: string | null;
  readonly database: number;
  /** Name of the master that Sentinels are asked for. */
  readonly sentinelName: string | null;
}

interface RedisTargetOptions {
  /** Valid by the rule of `redis.url`. */
  readonly url: string;
  readonly password: string | null;
  readonly sentinelName: string | null;
}

/**
 * One host is a single server, several are a Cluster, and with a Sentinel's name all of them are Sentinels. User,
 * password and database come from the first; a Cluster knows database 0 only.
 */
export function redisTarget({ url, password, sentinelName }: RedisTargetOptions): RedisTarget {
  const [first = "", ...others] = url.split(",").map((host) => host.trim());
  const scheme = first.slice(0, first.indexOf("://") + 3);
  const urls = [first, ...others.map((host) => (host.includes("://") ? host : scheme + host))].map(
    (each) => new URL(each),
  );
  const [leading] = urls as [URL, ...URL[]];
  const kind = sentinelName !== null ? "sentinel" : urls.length > 1 ? "cluster" : "single";
  const database = Number(leading.pathname.slice(1) || 0);
  return {
    kind,
    nodes: urls.map(({ hostname, port }) => ({
      host: hostname.replaceAll(/^\[|\]$/g, ""),
      port: Number(port || (kind === "sentinel" ? 26_379 : 6_379)),
    })),
    tls: leading.protocol === "rediss:",
    username: leading.username === "" ? null : decodeURIComponent(leading.username),
    password: leading.password === "" ? password : decodeURIComponent(leading.password),
    database: kind === "cluster" || !Number.isInteger(database) ? 0 : database,
    sentinelName,
  };
}
