import type { Logger } from "../../../telemetry/logger.ts";
import { upstreamErrorOf } from "../../upstream/upstream-error.ts";

/** Members of a request that some models or servers refuse and that a conversation can do without. */
export type OptionalMember = "stream_options" | "tools" | "temperature";

const optionalMembers: readonly OptionalMember[] = ["stream_options", "tools", "temperature"];

/** Model names may come from callers: only so many are remembered. */
const maxModels = 200;

/** Remembers which members each model refuses. */
export interface RefusedOptions {
  of(model: string): ReadonlySet<OptionalMember>;
  remember(model: string, members: ReadonlySet<OptionalMember>): void;
}

export function createRefusedOptions(log: Logger): RefusedOptions {
  const refused = new Map<string, ReadonlySet<OptionalMember>>();
  const nothing: ReadonlySet<OptionalMember> = new Set();
  return {
    of: (model) => refused.get(model) ?? nothing,
    remember(model, members) {
      if (refused.get(model)?.size === members.size) return;
      if (refused.size >= maxModels) refused.delete(refused.keys().next().value ?? "");
      refused.set(model, members);
      log.warn(
        { model, refused: [...members] },
        "the model refuses members of a request, they are left out from now on",
      );
    },
  };
}

/**
 * The member to leave out before another try, when `error` is a 400 or 422 that may be about one of those that were
 * sent: the one it names, else `stream_options`, which the oldest servers do not know. Null when none is left to blame.
 */
export function refusedMember(
  error: unknown,
  sent: Readonly<Record<string, unknown>>,
): OptionalMember | null {
  const fault = upstreamErrorOf(error);
  if (fault?.status !== 400 && fault?.status !== 422) return null;
  const present = optionalMembers.filter((member) => sent[member] !== undefined);
  const text = fault.bodyExcerpt.toLowerCase();
  const named = present.find((member) => text.includes(member === "tools" ? "tool" : member));
  return named ?? present.find((member) => member === "stream_options") ?? null;
}
