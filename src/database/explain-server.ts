import { rootOf } from "../lib/root-of.ts";
import { explainCertificate, showCertificate } from "../problems/explain-certificate.ts";
import { Problem } from "../problems/problem.ts";
import type { Explanation } from "../problems/start-fault.ts";
import { sqlState, type Database } from "./database.ts";

/** Below it, what the migrations use is missing. */
export const oldestPostgres = 140_000;

/** What a server says of itself and of what this login may do there. */
export interface ServerFacts {
  readonly version: number;
  readonly encoding: string;
  /** How many this login may have: the least of what the server, the role and the database allow. */
  readonly connections: number;
  readonly now: Date;
  readonly role: string;
  readonly database: string;
  /** Null where no schema of the search path is there. */
  readonly schema: string | null;
  readonly mayCreate: boolean;
  /** A stand-by, or told not to write. */
  readonly isReadOnly: boolean;
}

export async function inspectServer(database: Database): Promise<ServerFacts> {
  const { rows } = await database.query<ServerFacts>(
    `SELECT current_setting('server_version_num')::int AS version,
       current_setting('server_encoding') AS encoding,
       least(
         current_setting('max_connections')::int,
         (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
         (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
       ) AS connections,
       clock_timestamp() AS now,
       current_user AS role,
       current_database() AS database,
       current_schema() AS schema,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS "mayCreate",
       pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS "isReadOnly"`,
  );
  const [facts] = rows;
  if (facts === undefined) throw new Error("the server answers with nothing");
  return facts;
}

/** Why the service could not work with this server, whatever it tried; null: it could. */
export function explainFacts(facts: ServerFacts, needsTables: boolean): Explanation | null {
  const { version, encoding, role, schema } = facts;
  if (version < oldestPostgres) {
    return {
      found: `${readableVersion(version)} is too old`,
      remedy: "Upgrade the server to PostgreSQL 14 or newer",
    };
  }
  // The server converts what it can; what it cannot would fail message by message.
  if (encoding !== "UTF8" && encoding !== "SQL_ASCII") {
    return {
      found: `the database ${facts.database} is encoded in ${encoding}, which has no room for most of the world's characters`,
      remedy: `createdb --encoding=UTF8 --template=template0 --owner=${role} NAME, and name it in DATABASE_URL`,
    };
  }
  if (facts.isReadOnly) {
    return {
      found:
        "the server only lets this login read: it is a stand-by, or default_transaction_read_only is on",
      remedy: "Name the primary in DATABASE_URL, or switch default_transaction_read_only off",
    };
  }
  if (schema === null) {
    return {
      found: `no schema of ${role}'s search_path exists in ${facts.database}`,
      remedy: `psql -d ${facts.database} -c 'CREATE SCHEMA "${role}" AUTHORIZATION "${role}"'`,
    };
  }
  if (needsTables && !facts.mayCreate) return mayNotCreate(role, schema, facts.database);
  return null;
}

function mayNotCreate(role: string, schema: string, database: string): Explanation {
  return {
    found: `${role} may not make tables in schema ${schema} of ${database}`,
    remedy: `As its owner: psql -d ${database} -c 'GRANT CREATE ON SCHEMA "${schema}" TO "${role}"'; or: ALTER DATABASE "${database}" OWNER TO "${role}"`,
  };
}

export function readableVersion(version: number): string {
  return `PostgreSQL ${Math.floor(version / 10_000)}.${version % 10_000}`;
}

/** Three limits have one code. */
function outOfConnections(
  message: string,
  role: string,
  database: string,
): readonly [string, string] {
  if (/for role/.test(message)) {
    return [
      `${role} has as many connections as it may have`,
      `ALTER ROLE "${role}" CONNECTION LIMIT <more>, or lower DATABASE_POOL_SIZE and DATABASE_MAX_OVERFLOW`,
    ];
  }
  if (/for database/.test(message)) {
    return [
      `the database ${database} has as many connections as it may have`,
      `ALTER DATABASE "${database}" CONNECTION LIMIT <more>, or lower DATABASE_POOL_SIZE and DATABASE_MAX_OVERFLOW`,
    ];
  }
  return ["the server is out of connections", "Raise max_connections, or end other clients"];
}

/**
 * Why a server cannot be used, from the error that it or the way to it raised; null for what is no fault of either, such
 * as a mistake in a statement.
 */
export function explainServer(error: unknown, url: string): Explanation | null {
  const { code, message } = rootOf(error);
  const { hostname, port, pathname, username } = new URL(url);
  const where = `${hostname}:${port || 5432}`;
  const databaseName = decodeURIComponent(pathname.slice(1));
  const known: Readonly<Record<string, readonly [string, string]>> = {
    ECONNREFUSED: [`nobody listens at ${where}`, "Start PostgreSQL there, or correct DATABASE_URL"],
    ENOTFOUND: [`there is no host ${hostname}`, "Correct the host in DATABASE_URL"],
    EAI_AGAIN: [`the name ${hostname} cannot be looked up`, "Check the machine's DNS"],
    EHOSTUNREACH: [`there is no way to ${where}`, "Check the network, or correct DATABASE_URL"],
    ENETUNREACH: [`there is no way to ${where}`, "Check the network, or correct DATABASE_URL"],
    "28P01": [`the password of ${username} is wrong`, "Correct it in DATABASE_URL"],
    "28000": [
      `${username} may not log in from here`,
      "Correct the user in DATABASE_URL, or allow it in pg_hba.conf",
    ],
    "3D000": [
      `there is no database ${databaseName}`,
      `createdb -h ${hostname} -p ${port || 5432} -U ${username || "postgres"} ${databaseName}`,
    ],
    "42501": [
      `${username} may not do that: ${message}`,
      `As the owner of the tables: GRANT ALL ON ALL TABLES IN SCHEMA public TO "${username}"`,
    ],
    "53300": outOfConnections(message, username, databaseName),
    "53100": ["the server's disk is full", "Free some space there"],
    "57P03": ["the server is starting", "Wait a moment and try again"],
    "25006": ["the server is read-only", "Name the primary in DATABASE_URL"],
  };
  const certificate = explainCertificate(error);
  if (certificate !== null) {
    const { remedy } = certificate;
    return {
      found: `${where}: ${certificate.found}`,
      remedy: remedy.includes("TLS_CA_FILE")
        ? `${remedy} (or sslrootcert=/path/ca.pem in DATABASE_URL; sslmode=no-verify encrypts without looking at it)`
        : remedy,
    };
  }
  if (code === "28000" && /client certificate/.test(message)) {
    return { found: `${where} asks for a certificate of this service`, remedy: showCertificate };
  }
  if (/does not support SSL connections/.test(message)) {
    return {
      found: `${where} does not speak TLS`,
      remedy: "Switch it on there (ssl = on), or leave sslmode out of DATABASE_URL",
    };
  }
  const [found, remedy] = known[code] ?? [];
  if (found !== undefined && remedy !== undefined) return { found, remedy };
  const isOfConnection = error instanceof Problem || sqlState(error) === undefined;
  if (!isOfConnection || error instanceof TypeError) return null;
  return {
    found: `cannot be reached: ${message}`,
    remedy: `Check that ${where} can be reached from here, and DATABASE_CONNECT_TIMEOUT_MS`,
  };
}
