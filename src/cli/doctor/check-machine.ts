import { access, constants, statfs, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { explainBacklog, explainOpenFiles } from "../../composition/connection-limits.ts";
import type { Config } from "../../config/settings.ts";
import { strongSecret, weaknessOf } from "../../config/weak-secret.ts";
import { isLoopback, localUrl } from "../../gateway/advertised-address.ts";
import { askHealth } from "../../http/ask-health.ts";
import { explainListen } from "../../http/explain-listen.ts";
import { tryListening } from "../../http/try-listening.ts";
import { makeDirectory } from "../../lib/make-directory.ts";
import { maxOpenFiles, maxWaitingConnections } from "../../lib/open-files.ts";
import { explainFile } from "../../problems/explain-file.ts";
import type { Finding } from "./finding.ts";

const oldestNode = 24;
const lowSpaceBytes = 500 * 1024 * 1024;

export function checkNode(version: string = process.versions.node): Finding {
  const major = Number(version.split(".")[0]);
  return major >= oldestNode
    ? { name: "node", status: "ok", found: `Node ${version}` }
    : {
        name: "node",
        status: "fail",
        found: `Node ${version} is too old; ${oldestNode} or newer is needed`,
        remedy: "npm install (brings its own Node), then start with npm start or npx chat-service",
      };
}

/** What the system lets one process hold at a time. */
export function checkConnectionLimits(
  config: Config,
  files = maxOpenFiles(),
  waiting = maxWaitingConnections(),
): Finding {
  const name = "connections at once";
  const why = explainOpenFiles(config, files) ?? explainBacklog(waiting);
  if (why !== null) return { name, status: "warn", ...why };
  return {
    name,
    status: "ok",
    found: `${files ?? "an unknown number of"} files and connections a process, which is enough for ${config.limits.max_viewers} streams`,
  };
}

/** The directory of the embedded database; with a PostgreSQL server it is hardly used. */
export async function checkDataDirectory({ service, database }: Config): Promise<Finding> {
  const name = "data directory";
  const path = resolve(service.data_dir);
  if (database.url !== null) {
    return { name, status: "off", found: "not used: the database is a PostgreSQL server" };
  }
  try {
    makeDirectory(path);
    await access(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    const why = explainFile(error, path, "SERVICE_DATA_DIR");
    if (why === null) throw error;
    return { name, status: "fail", ...why };
  }
  const { bavail, bsize } = await statfs(path);
  const free = Math.floor((bavail * bsize) / (1024 * 1024));
  return bavail * bsize < lowSpaceBytes
    ? {
        name,
        status: "warn",
        found: `${path} has only ${free} MB left`,
        remedy: "Free some space, or set SERVICE_DATA_DIR to another disk",
      }
    : { name, status: "ok", found: `${path} is writable, ${free} MB free` };
}

/** Log files are opened at start; a path that cannot be written keeps the service from starting. */
export async function checkLogFiles({ logging }: Config): Promise<Finding> {
  const name = "log files";
  const paths = [logging.file_path, logging.error_file_path, logging.access_file_path].filter(
    (path) => path !== null,
  );
  if (paths.length === 0) return { name, status: "off", found: "the log goes to the console" };
  for (const path of paths) {
    try {
      makeDirectory(dirname(path));
      const exists = await stat(path).catch(() => null);
      if (exists?.isDirectory() === true) throw Object.assign(new Error(), { code: "EISDIR" });
      await access(exists === null ? dirname(path) : path, constants.W_OK);
    } catch (error) {
      const why = explainFile(error, path, "the file's name under logging");
      if (why === null) throw error;
      return { name, status: "fail", ...why };
    }
  }
  return { name, status: "ok", found: `${paths.join(", ")} can be written` };
}

/** Whether the port is free, or taken by a chat service already. */
export async function checkPort({ service }: Config): Promise<Finding> {
  const name = "port";
  const { host, port } = service;
  const url = localUrl(host, port);
  const running = port === 0 ? null : await askHealth(url);
  if (running !== null) {
    return { name, status: "ok", found: `chat-service ${running} is running at ${url}` };
  }
  try {
    await tryListening(host, port);
    return { name, status: "ok", found: `${host}:${port} is free` };
  } catch (error) {
    const why = explainListen(error, host, port);
    if (why === null) throw error;
    return { name, status: "fail", ...why };
  }
}

/** Who may do what: open mode is for one machine. */
export function checkAccess({ auth, service, security }: Config): Finding {
  const name = "access";
  if (auth.mode !== "open") {
    const weakness = security.secret_key === null ? null : weaknessOf(security.secret_key);
    if (weakness !== null) {
      return {
        name,
        status: "warn",
        found: `security.secret_key ${weakness}: whoever guesses it can act as any user`,
        remedy: `SECURITY_SECRET_KEY="$(${strongSecret})", for the issuer of the tokens too`,
      };
    }
    return { name, status: "ok", found: `callers prove who they are (auth.mode ${auth.mode})` };
  }
  if (isLoopback(service.host)) {
    return { name, status: "ok", found: "open, but only this machine can reach it" };
  }
  const origins = security.cors_origins.includes("*") ? " and any web page" : "";
  return {
    name,
    status: "warn",
    found: `auth.mode open on ${service.host}: anybody${origins} who can reach it may act as any user`,
    remedy: "AUTH_MODE=jwt SECURITY_SECRET_KEY=…, or HOST=127.0.0.1; see docs/security.md",
  };
}
