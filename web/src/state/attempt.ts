import { notifyError } from "./notices.ts";

/** Does what may fail for want of a network; then it is said, and offered to be tried again. */
export function attempt(act: () => Promise<unknown>): void {
  act().catch((error: unknown) => notifyError(error, () => attempt(act)));
}
