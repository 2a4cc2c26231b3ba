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
