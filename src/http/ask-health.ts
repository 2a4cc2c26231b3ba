const timeoutMs = 3_000;

/** The version of the chat service that answers there; null where nobody does, or somebody else. */
export async function askHealth(url: string): Promise<string | null> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(timeoutMs) });
    const body = (await response.json()) as { status?: unknown; version?: unknown };
    return body.status === "healthy" && typeof body.version === "string" ? body.version : null;
  } catch {
    return null; // listening there tells which
  }
}
