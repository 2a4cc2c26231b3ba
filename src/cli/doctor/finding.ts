/** What one look of the doctor found. */
export interface Finding {
  /** What was looked at, such as `database`. */
  readonly name: string;
  /** `warn` works, but not well or not for long; `off` is not configured. */
  readonly status: "ok" | "warn" | "fail" | "off";
  /** One sentence for people. No secrets; addresses are theirs, so they may be shown. */
  readonly found: string;
  /** What mends it: a command, a setting. Given with `warn` and `fail`. */
  readonly remedy?: string;
}

/** Anything thrown by a check is itself a finding. */
export async function look(
  name: string,
  check: () => Promise<Finding | Finding[]>,
): Promise<Finding[]> {
  try {
    return [await check()].flat();
  } catch (error) {
    return [
      {
        name,
        status: "fail",
        found: `cannot be checked: ${error instanceof Error ? error.message : String(error)}`,
        remedy: "Report this; it should not happen.",
      },
    ];
  }
}

/** The innermost reason of an error: drivers and clients wrap it several times. */
export function rootOf(error: unknown): { code: string; message: string } {
  let current = error;
  for (let depth = 0; depth < 8 && current instanceof Error; depth++) {
    const inner =
      current instanceof AggregateError && current.errors.length > 0
        ? (current.errors[0] as unknown)
        : current.cause;
    if (!(inner instanceof Error)) break;
    current = inner;
  }
  const { code, message } = (current ?? {}) as { code?: unknown; message?: unknown };
  return {
    code: typeof code === "string" ? code : "",
    message: typeof message === "string" ? message : String(current),
  };
}
