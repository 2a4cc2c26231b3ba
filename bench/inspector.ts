import { once } from "node:events";
import { WebSocket } from "ws";

/** What a process holds right after a garbage collection. */
export interface Inventory {
  /** Objects and strings; what the compilers have made is counted beside them. */
  readonly heapBytes: number;
  readonly codeBytes: number;
  /** Buffers and WebAssembly memory outside the heap. */
  readonly externalBytes: number;
  readonly residentBytes: number;
  /** Sockets, timers, servers, threads by kind. */
  readonly handles: Readonly<Record<string, number>>;
}

export interface Inspector {
  takeInventory(): Promise<Inventory>;
  close(): void;
}

const inventory = `(() => {
  const handles = {};
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
  let codeBytes = 0;
  for (const { space_name, space_used_size } of process.getBuiltinModule("node:v8").getHeapSpaceStatistics()) {
    if (/^(?:code|trusted)_/.test(space_name)) codeBytes += space_used_size;
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return JSON.stringify({
    heapBytes: heapUsed - codeBytes, codeBytes, externalBytes: external, residentBytes: rss, handles,
  });
})()`;

/** Speaks to a process that was started with --inspect; `output` is what it wrote so far. */
export async function openInspector(output: string): Promise<Inspector> {
  const url = /ws:\/\/127\.0\.0\.1:\d+\/[\w-]+/.exec(output)?.[0];
  if (url === undefined) throw new Error("the process was not started with --inspect");
  const socket = new WebSocket(url);
  await once(socket, "open");
  const waiting = new Map<number, (result: { result?: { value?: unknown } }) => void>();
  let last = 0;
  socket.on("message", (data: Buffer) => {
    const { id, result } = JSON.parse(data.toString()) as { id?: number; result?: object };
    if (id === undefined) return;
    waiting.get(id)?.(result ?? {});
    waiting.delete(id);
  });
  const send = (method: string, params: object = {}) =>
    new Promise<{ result?: { value?: unknown } }>((resolve) => {
      last += 1;
      waiting.set(last, resolve);
      socket.send(JSON.stringify({ id: last, method, params }));
    });
  return {
    async takeInventory() {
      await send("HeapProfiler.collectGarbage");
      const { result } = await send("Runtime.evaluate", { expression: inventory });
      return JSON.parse(String(result?.value)) as Inventory;
    },
    close: () => socket.close(),
  };
}
