import { RunStopped } from "../../agents/agent-backend.ts";

/** The run of a reply that is made by another attempt from here on stays as it is. */
const leaving: ReadonlySet<string> = new Set(["fenced", "handed on"]);

/** Why a running reply is stopped from outside; the abort reason of its signal. */
export class ReplyStopped extends RunStopped {
  override readonly name = "ReplyStopped";
  readonly kind:
    | "cancelled"
    | "deleted"
    | "fenced"
    | "handed on"
    | "timeout"
    | "too_long"
    | "shutdown"
    | "lost";
  readonly reason: string;

  constructor(kind: ReplyStopped["kind"], reason: string = kind) {
    super(reason, leaving.has(kind));
    this.kind = kind;
    this.reason = reason;
  }
}
