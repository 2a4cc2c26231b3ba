/** What the driver makes of parameters of `database.url`: the connection as such, and settings of the session. */
const understood = new Set([
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
  "sslnegotiation",
  "ssl",
  "uselibpqcompat",
  "host",
  "port",
  "user",
  "password",
  "application_name",
  "fallback_application_name",
  "options",
  "client_encoding",
  "statement_timeout",
  "lock_timeout",
  "idle_in_transaction_session_timeout",
]);

const sslModes = ["disable", "prefer", "require", "verify-ca", "verify-full", "no-verify"];

/** Habits of other programs, and what does the same here. */
const instead: Readonly<Record<string, string>> = {
  schema: "options=-csearch_path%3DNAME chooses a schema",
  search_path: "options=-csearch_path%3DNAME chooses a schema",
  currentSchema: "options=-csearch_path%3DNAME chooses a schema",
  pgbouncer: "database.pooler: pgbouncer does that",
  connect_timeout: "database.connect_timeout_ms does that",
  connection_limit: "database.pool_size and database.max_overflow do that",
  pool_timeout: "database.pool_timeout_ms does that",
  pool_size: "database.pool_size does that",
  sslaccept: "sslmode=no-verify accepts any certificate",
};

/** What is wrong with the parameters of a database's URL, which the driver would take without a word. */
export function databaseUrlFaults(setting: string, url: string): readonly string[] {
  const { searchParams: parameters } = new URL(url);
  const unknown = [...new Set(parameters.keys())]
    .filter((name) => !understood.has(name))
    .map((name) => {
      const hint = instead[name] ?? `there are ${[...understood].join(", ")}`;
      return `${setting}: ${JSON.stringify(name)} is no parameter here; ${hint}`;
    });
  const mode = parameters.get("sslmode");
  return mode === null || sslModes.includes(mode)
    ? unknown
    : [...unknown, `${setting}: sslmode must be one of ${sslModes.join(", ")}`];
}

/** The same for `redis.url`, of which only host, port, user, password and the number of the database are read. */
export function redisUrlFaults(url: string, isSentinel: boolean): readonly string[] {
  const hosts = url.split(",").map((host) => host.trim());
  const isCluster = hosts.length > 1 && !isSentinel;
  return hosts.flatMap((host) => {
    const { pathname, search, hash } = new URL(host.includes("://") ? host : `redis://${host}`);
    if (search + hash !== "") {
      return [
        "redis.url: takes no parameters; rediss:// is TLS, tls.ca_file the authority, redis.* has the rest",
      ];
    }
    const database = pathname.slice(1);
    if (!/^\d*$/.test(database)) {
      return ["redis.url: what follows the host is the number of a database, such as /2"];
    }
    return isCluster && Number(database) > 0 ? ["redis.url: a Cluster has database 0 alone"] : [];
  });
}
