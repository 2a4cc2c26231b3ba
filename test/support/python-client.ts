import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { withoutAwait } from "../../scripts/python-client.ts";
import { pythonWith } from "./python.ts";

export const pythonClient = join(import.meta.dirname, "../../clients/python");

const packages = [
  "httpx==0.28.1",
  "websockets==17.4",
  "mypy==2.4.1",
  "ruff==0.17.6",
  "hatchling==1.33.0",
  "fastapi==0.165.0",
  "uvicorn==0.54.0",
];

/** The Python that clients/python is tried with, and its examples; null where it cannot be had and need not. */
export async function pythonForClient(): Promise<string | null> {
  const made = await pythonWith("chat-client-python", packages, packages.join("\n"));
  if (!("missing" in made)) return made.python;
  const isRequired = (process.env["REQUIRE_BACKENDS"] ?? "").split(",").includes("python");
  if (isRequired) throw new Error(`the Python client: ${made.missing}`);
  console.warn(`SKIPPED: the Python client: ${made.missing}`);
  return null;
}

/** What a program of Python is started with: the source as it stands, and none of this machine's proxies. */
export const pythonEnvironment = {
  PATH: process.env["PATH"],
  PYTHONPATH: join(pythonClient, "src"),
  PYTHONDONTWRITEBYTECODE: "1",
};

/** A reply as the driver knows it. */
export interface DrivenReply {
  readonly reply: number;
  readonly sessionId: string;
  readonly messageId: string;
}

export interface Raised {
  readonly kind: string;
  readonly text: string;
  readonly [name: string]: unknown;
}

type Line = { readonly told: never } | { readonly result: never } | { readonly raised: Raised };

export type PythonDriver = Awaited<ReturnType<typeof startPythonDriver>>;

/** The client of clients/python in a process of its own, told what to do. What it raises is the cause of an Error. */
export async function startPythonDriver(python: string, mode: "async" | "sync") {
  const folder = await mkdtemp(join(tmpdir(), "chat-python-"));
  const source = await readFile(join(import.meta.dirname, "../client/python_driver.py"), "utf8");
  const program = join(folder, "driver.py");
  await writeFile(program, mode === "async" ? source : withoutAwait(source));
  const child = spawn(python, [program], {
    env: pythonEnvironment,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const waiting: {
    readonly told: (event: never) => void;
    readonly resolve: (value: never) => void;
    readonly reject: (error: Error) => void;
  }[] = [];
  createInterface({ input: child.stdout }).on("line", (text) => {
    const line = JSON.parse(text) as Line;
    if ("told" in line) return waiting[0]?.told(line.told);
    const first = waiting.shift();
    if ("result" in line) first?.resolve(line.result);
    else first?.reject(new Error(line.raised.kind, { cause: line.raised }));
  });
  child.on("exit", () => {
    for (const { reject } of waiting.splice(0)) reject(new Error("the driver has ended"));
  });

  /** One after the other: what is ordered meanwhile waits. */
  const order = <T>(what: object, told: (event: never) => void = () => {}) =>
    new Promise<T>((resolve, reject) => {
      waiting.push({ told, resolve, reject });
      child.stdin.write(`${JSON.stringify(what)}\n`);
    });
  const read = async <Event>(
    { reply }: DrivenReply,
    how: { readonly count?: number; readonly until?: string } = {},
    told: (event: Event) => void = () => {},
  ): Promise<Event[]> => {
    const events: Event[] = [];
    await order({ do: "read", reply, ...how }, (event: Event) => {
      events.push(event);
      told(event);
    });
    return events;
  };
  const call = <T>(
    client: string,
    path: string,
    args: readonly unknown[] = [],
    named: object = {},
  ) => order<T>({ do: "call", client, path, args, named });

  return {
    connect: (client: string, base_url: string, options: object = {}) =>
      order({ do: "client", client, base_url, ...options }),
    call,
    send: (client: string, message: string, named: object = {}) =>
      call<DrivenReply>(client, "send", [message], named),
    read,
    text: ({ reply }: DrivenReply) => order<string>({ do: "method", reply, name: "text" }),
    cancel: ({ reply }: DrivenReply) => order({ do: "method", reply, name: "cancel" }),
    leave: ({ reply }: DrivenReply) =>
      order<{ alive: boolean; seen: number }>({ do: "leave", reply }),
    listen: (client: string, until: string, told: (event: never) => void) =>
      order({ do: "listen", client, until }, told),
    converse: (client: string, script: object, told: (event: never) => void) =>
      order<unknown[]>({ do: "converse", client, ...script }, told),
    /** What was waited for, tried again, told of progress and asked of the token since this was asked last. */
    noted: () =>
      order<{ waits: number[]; retries: string[]; shares: number[]; asked: (string | null)[] }>({
        do: "noted",
      }),
    async close() {
      child.stdin.end();
      child.kill("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
}
