/** Why a running reply is stopped from outside; the abort reason of its signal. */
export class ReplyStopped extends Error {
  override readonly name = "ReplyStopped";
  readonly kind: "cancelled" | "deleted" | "fenced" | "timeout" | "too_long" | "shutdown" | "lost";
  readonly reason: string;

  constructor(kind: ReplyStopped["kind"], reason: string = kind) {
    super(reason);
    this.kind = kind;
    this.reason = reason;
  }
}
