import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { missingBackend } from "./backends.ts";

/** NGINX_BINARY, or nginx where the system has it; null, said aloud, where there is none. */
export function findNginx(): string | null {
  const folders = `${process.env["PATH"] ?? ""}${delimiter}/usr/sbin`.split(delimiter);
  const programs = folders.map((folder) => join(folder, "nginx"));
  return (
    [process.env["NGINX_BINARY"] ?? "", ...programs].find(
      (path) => path !== "" && existsSync(path),
    ) ?? missingBackend("nginx", "install nginx-light")
  );
}
