/** A server of tools, as `mcp` of an agent names it. */
export interface McpServerSettings {
  readonly name: string;
  /** A program that speaks over its standard input and output … */
  readonly command?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** … or an address (streamable HTTP). */
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly api_key?: string;
  /** Absent: all that it has. */
  readonly tools?: readonly string[];
  /** Absent: `all`. */
  readonly require_approval?: "all" | "none" | readonly string[];
  /** For one call. */
  readonly timeout_seconds?: number;
  /** For reaching it and listing its tools. */
  readonly connect_timeout_seconds?: number;
}

export const defaultTimeoutSeconds = 60;
export const defaultConnectTimeoutSeconds = 30;

/** Those that mean the same server in all this share one connection. */
export function connectionKey({
  name: _,
  tools: __,
  require_approval: ___,
  ...rest
}: McpServerSettings): string {
  return JSON.stringify(Object.entries(rest).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
