import { useEffect, useState, type ComponentType } from "react";
import { waitToRetry } from "../state/connection.ts";

const loaders: (() => Promise<unknown>)[] = [];

/** Of a part with a field that has the focus at once: what it begins with. */
export interface TakesText {
  readonly typed?: string;
}

/**
 * A part of the page that the first view does without. It is loaded when it is first shown, or before that by
 * `loadParts`. `Meanwhile` stands in its place until then, and takes up what is typed.
 */
export function onDemand<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
  Meanwhile?: ComponentType<Props & { readonly onType: (text: string) => void }>,
): ComponentType<Props> {
  let Part: ComponentType<Props> | null = null;
  const get = async () => {
    Part ??= await load();
  };
  loaders.push(get);
  return function OnDemand(props: Props) {
    const [isThere, setThere] = useState(Part !== null);
    const [typed, setTyped] = useState("");
    useEffect(() => {
      if (isThere) return undefined;
      const leaving = new AbortController();
      const { signal } = leaving;
      const run = async () => {
        for (let attempt = 0; ; attempt += 1) {
          try {
            await get();
            if (!signal.aborted) setThere(true);
            return;
          } catch {
            // The network is away: it is wanted all the same.
            await waitToRetry(attempt, signal);
          }
        }
      };
      run().catch(() => undefined);
      return () => leaving.abort();
    }, [isThere]);
    if (Part === null || !isThere) {
      return Meanwhile === undefined ? null : <Meanwhile {...props} onType={setTyped} />;
    }
    return <Part {...props} {...(typed !== "" && { typed })} />;
  };
}

const idleMs = 3_000;

/** Loads all of them when nobody waits for anything: a network that goes away later takes none of them along. */
export function loadParts(): void {
  const all = () => {
    for (const load of loaders) load().catch(() => undefined);
  };
  // Safari has none.
  if ("requestIdleCallback" in window) requestIdleCallback(all, { timeout: idleMs });
  else setTimeout(all, idleMs);
}
