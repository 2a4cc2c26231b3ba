import type { Explanation } from "../problems/start-fault.ts";

/**
 * Why an address cannot be listened on; null for what has nothing to do with it. `names` are those of the settings in
 * the environment.
 */
export function explainListen(
  error: unknown,
  host: string,
  port: number,
  names = { host: "HOST", port: "PORT" },
): Explanation | null {
  const { code, syscall } = error as NodeJS.ErrnoException;
  const where = `${host}:${port}`;
  const another = `Set ${names.host} to an address of this machine, such as 127.0.0.1, or to 0.0.0.0 for all`;
  switch (code) {
    case "EADDRINUSE":
      return {
        found: `${where} is taken by another program`,
        remedy: `ss -ltnp | grep ":${port} " shows which; or choose another: ${names.port}=${port + 1}`,
      };
    case "EACCES":
    case "EPERM":
      if (syscall !== "listen") return null;
      return {
        found: `${where} may not be listened on by this user`,
        remedy: `Ports below 1024 need privileges: choose another, such as ${names.port}=${port + 8000}`,
      };
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
    case "EINVAL":
      return { found: `${host} is no address of this machine`, remedy: another };
    case "ENOTFOUND":
    case "EAI_AGAIN":
      if (syscall !== "getaddrinfo") return null;
      return { found: `there is no host ${host}`, remedy: another };
    default:
      return null;
  }
}
