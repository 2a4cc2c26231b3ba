import { access, constants, mkdir, statfs, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { dirname, resolve } from "node:path";
import type { Config } from "../../config/settings.ts";
import { isLoopback, serviceUrl } from "../../gateway/advertised-address.ts";
import type { Finding } from "./finding.ts";

const oldestNode = 24;
const lowSpaceBytes = 500 * 1024 * 1024;
const timeoutMs = 3_000;

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

/** The directory of the embedded database; with a PostgreSQL server it is hardly used. */
export async function checkDataDirectory({ service, database }: Config): Promise<Finding> {
  const name = "data directory";
  const path = resolve(service.data_dir);
  if (database.url !== null) {
    return { name, status: "off", found: "not used: the database is a PostgreSQL server" };
  }
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    return {
      name,
      status: "fail",
      found: `${path} cannot be written (${(error as NodeJS.ErrnoException).code ?? "unknown"})`,
      remedy: `mkdir -p ${path} && chown "$(id -u)" ${path}, or set SERVICE_DATA_DIR to another place`,
    };
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
      await mkdir(dirname(path), { recursive: true });
      const exists = await stat(path).catch(() => null);
      if (exists?.isDirectory() === true) throw Object.assign(new Error(), { code: "EISDIR" });
      await access(exists === null ? dirname(path) : path, constants.W_OK);
    } catch (error) {
      return {
        name,
        status: "fail",
        found: `${path} cannot be written (${(error as NodeJS.ErrnoException).code ?? "unknown"})`,
        remedy: `chown "$(id -u)" ${dirname(path)}, or set another path under logging`,
      };
    }
  }
  return { name, status: "ok", found: `${paths.join(", ")} can be written` };
}

/** Whether the port is free, or taken by a chat service already. */
export async function checkPort({ service }: Config): Promise<Finding> {
  const name = "port";
  const { host, port } = service;
  const url = serviceUrl(isUnspecified(host) ? "127.0.0.1" : host, port);
  const running = port === 0 ? null : await askHealth(url);
  if (running !== null) {
    return { name, status: "ok", found: `chat-service ${running} is running at ${url}` };
  }
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, "listening");
    return { name, status: "ok", found: `${host}:${port} is free` };
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    return {
      name,
      status: "fail",
      found: `${host}:${port} cannot be listened on (${code})`,
      remedy:
        code === "EADDRINUSE"
          ? `ss -ltnp | grep ":${port} " shows who has it; or choose another: PORT=${port + 1}`
          : code === "EACCES"
            ? "Ports below 1024 need privileges: choose another, such as PORT=8001"
            : "Set HOST to an address of this machine, or to 0.0.0.0 for all",
    };
  } finally {
    server.close();
  }
}

/** Who may do what: open mode is for one machine. */
export function checkAccess({ auth, service, security }: Config): Finding {
  const name = "access";
  if (auth.mode !== "open") {
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

async function askHealth(url: string): Promise<string | null> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(timeoutMs) });
    const body = (await response.json()) as { status?: unknown; version?: unknown };
    return body.status === "healthy" && typeof body.version === "string" ? body.version : null;
  } catch {
    return null; // nobody there, or somebody else: listening tells which
  }
}

function isUnspecified(host: string): boolean {
  return host === "0.0.0.0" || host === "::" || host === "";
}
