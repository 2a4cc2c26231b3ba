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
}

/** What the caller wants to do, in the Base Service's words. */
export type Action =
  | "create_chat_session"
  | "access_chat_session"
  | "send_message"
  | "delete_chat_session"
  | "manage_sessions";

/** The part of a request that says who is calling. */
export interface Credentials {
  /** Value of the `Authorization` header, if there is exactly one. */
  readonly authorization?: string;
  /** Value of `X-API-Key`, if there is exactly one. */
  readonly apiKey?: string;
}

/** Authentication and authorisation, one implementation for each `auth.mode`. */
export interface IdentityProvider {
  readonly mode: "open" | "jwt" | "base-service";
  /**
   * Establishes the caller. In `open` mode without credentials this is null: the caller names `user_id` itself.
   * Raises `unauthorized` (401) for missing or bad credentials, `storage_unavailable`-style 503 when the
   * authority cannot be asked.
   */
  authenticate(credentials: Credentials): Promise<Identity | null>;
  /** Raises `forbidden` (403) when the caller may not do this at all. Ownership of a session is checked elsewhere. */
  authorize(identity: Identity, action: Action): Promise<void>;
  close(): Promise<void>;
}

export function isAdmin(identity: Identity): boolean {
  return identity.roles.includes("admin");
}
