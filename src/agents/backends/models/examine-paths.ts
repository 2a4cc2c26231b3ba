import type { BackendFinding } from "../../agent-backend.ts";
import type { ModelSource } from "./chat-protocol.ts";
import { remedyOf } from "./source-fault.ts";

/** Whether what lists models, or has no list, is there to be asked: a list alone answers nobody. */
export async function examinePaths(
  sources: readonly Pick<ModelSource, "tryPath">[],
  signal: AbortSignal,
): Promise<readonly BackendFinding[]> {
  const faults = await Promise.all(
    sources.map(async (source) => (await source.tryPath?.(signal)) ?? null),
  );
  return faults.flatMap((fault) =>
    fault === null
      ? []
      : [
          {
            name: "completions",
            status: "fail",
            found: "nothing answers where models are asked",
            remedy: remedyOf(fault),
          },
        ],
  );
}
