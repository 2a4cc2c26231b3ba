/** What the environment tells the commands that are clients of a running service. */
export interface ClientEnvironment {
  readonly url: string | null;
  readonly token: string | null;
  readonly apiKey: string | null;
  /** Name of the person at this machine. */
  readonly userName: string | null;
  readonly noColour: boolean;
}

/** `CHAT_URL`, `CHAT_TOKEN`, `CHAT_API_KEY`, `CHAT_USER` (else the login name), `NO_COLOR`. */
export function readClientEnvironment(): ClientEnvironment {
  const read = (name: string): string | null => process.env[name]?.trim() || null;
  return {
    url: read("CHAT_URL"),
    token: read("CHAT_TOKEN"),
    apiKey: read("CHAT_API_KEY"),
    userName: read("CHAT_USER") ?? read("USER") ?? read("USERNAME"),
    noColour: read("NO_COLOR") !== null,
  };
}
