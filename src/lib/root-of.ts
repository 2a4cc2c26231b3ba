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
