import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Starts a script of this folder and waits for the port it prints. */
export async function startScript(
  name: string,
  ...args: readonly (string | number)[]
): Promise<{ process: ChildProcess; port: number }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, name), ...args.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { process: child, port: Number(line.toString()) };
}

/**
 * CPU time of all threads of a process in milliseconds, as the scheduler has measured it: the ticks that other counters
 * go by come at the same moments as the timers of what is measured.
 */
export function cpuMs(child: { readonly pid?: number | undefined }): number {
  const threads = `/proc/${child.pid}/task`;
  let nanoseconds = 0;
  for (const thread of readdirSync(threads)) {
    nanoseconds += Number(readFileSync(join(threads, thread, "schedstat"), "utf8").split(" ")[0]);
  }
  return nanoseconds / 1e6;
}

/** CPU time of all processes of the PostgreSQL server on this port that run now, in milliseconds. */
export function databaseCpuMs(port: number): number {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const read = (pid: string, file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "utf8");
    } catch {
      return "";
    }
  };
  const main = pids.find((pid) =>
    read(pid, "cmdline").split("\0").join(" ").includes(`-p ${port} `),
  );
  let nanoseconds = 0;
  for (const pid of pids) {
    if (pid !== main && !read(pid, "status").includes(`PPid:\t${main}\n`)) continue;
    nanoseconds += Number(read(pid, "schedstat").split(" ")[0]);
  }
  return nanoseconds / 1e6;
}

/** What the main thread of a process has run, and has stood in line for a processor, in milliseconds. */
export function processorMs(child: ChildProcess): {
  readonly ran: number;
  readonly waited: number;
} {
  const text = readFileSync(`/proc/${child.pid}/task/${child.pid}/schedstat`, "utf8");
  const [ran, waited] = text.split(" ").map((nanoseconds) => Number(nanoseconds) / 1e6);
  return { ran: ran ?? Number.NaN, waited: waited ?? Number.NaN };
}

/** Resident memory of a process in MiB. */
export function residentMiB(child: ChildProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** The most that it ever had. */
export function peakMiB(child: ChildProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
