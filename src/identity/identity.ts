/** What a caller wants to do, in the Base Service's words. */
export const actions = [
  "create_chat_session",
  "access_chat_session",
  "send_message",
  "delete_chat_session",
  "manage_sessions",
] as const;

export type Action = (typeof actions)[number];

/** Who is calling, once established. */
export interface Identity {
  /** Owner of the sessions this caller creates; 1..128 characters. */
  readonly userId: string;
  readonly roles: readonly string[];
  /** `open`: nobody proved anything, the caller named itself; the other kinds are proven. */
  readonly kind: "open" | "token" | "api_key";
  /**
   * The caller's own bearer token, to be forwarded to peers that ask for it (Base Service permission checks,
   * AgentOS with JWT). Never logged, never stored in clear.
   */
  readonly token?: string;
  /** What the token itself grants beside its roles, if it says so. */
  readonly permissions?: readonly string[];
  /** The agents that exist for this caller (`agent-rights.ts`); absent: all of them. */
  readonly agents?: readonly string[];
  /** Of an API key that was made while the service runs. */
  readonly keyId?: string;
  /** Of an API key, as it is configured or was made. */
  readonly keyName?: string;
  /** Only these actions are allowed, whatever the roles say; for API keys. Absent: no such limit. */
  readonly scopes?: readonly Action[];
  /** Of a trusted front end's key: it acts for whomever its requests name (`acting.ts`), and for itself where they name nobody. */
  readonly actsForUsers?: true;
  /** Of an API key, what becomes of a reply whose client closes the connection, where it says so. */
  readonly onDisconnect?: "continue" | "cancel";
  /** When the proof runs out (epoch milliseconds), for connections that outlive a request. */
  readonly expiresAtMs?: number;
}

/** The part of a request that says who is calling. */
export interface Credentials {
  /** Value of the `Authorization` header, if there is exactly one. */
  readonly authorization?: string;
  /** Value of `X-API-Key`, if there is exactly one. */
  readonly apiKey?: string;
  /** Whom the headers name, each as it came; looked at for keys that act for users, and for nobody else. */
  readonly users?: readonly string[];
}

/** What else is known of the request while its caller is established. */
export interface AccessContext {
  /** True for requests that change nothing (GET, HEAD): `base_service.on_unreachable: allow_read` is about these. */
  readonly readOnly?: boolean;
  /** Sent to peers as `X-Request-ID`. */
  readonly requestId?: string;
  /** Sent to peers as `traceparent`. */
  readonly traceparent?: string;
}

/** Authentication and authorisation, one implementation for each `auth.mode`. */
export interface IdentityProvider {
  readonly mode: "open" | "jwt" | "base-service";
  /**
   * Establishes the caller. In `open` mode without credentials this is null: the caller names `user_id` itself.
   * Raises `unauthorized` (401) for missing or bad credentials, `storage_unavailable` (503, with Retry-After) when
   * the authority cannot be asked.
   */
  authenticate(credentials: Credentials, context?: AccessContext): Promise<Identity | null>;
  /**
   * Raises `forbidden` (403) when the caller may not do this at all, 401 and 503 as `authenticate`. Ownership of a
   * session is checked elsewhere.
   */
  authorize(identity: Identity, action: Action, context?: AccessContext): Promise<void>;
  /** Calls `onChange` when the caller's proof may no longer hold before its time; returns what stops that, where there is such a proof. */
  watch?(identity: Identity, onChange: () => void): (() => void) | undefined;
  /** Ends what runs in the background. May be called twice. */
  close(): Promise<void>;
}

/** API keys that are made and revoked while the service runs. */
export interface StoredKeys {
  /** Whether it can only be one of them: no token looks so. */
  isForm(text: string): boolean;
  /** The identity behind a key, or null for one that is unknown, revoked or expired. Asks no database for those that are known. */
  find(key: string): Promise<Identity | null>;
  watch(identity: Identity, onGone: () => void): (() => void) | undefined;
  close(): Promise<void>;
}

export function isAdmin(identity: Identity): boolean {
  return identity.roles.includes("admin");
}
