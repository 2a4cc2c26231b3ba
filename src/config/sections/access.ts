import { isText, listOf, name, optional, required, wordList } from "../list-of.ts";
import {
  addressRange,
  baseUrl,
  browserOrigin,
  hostPattern,
  urlPathOrEmpty,
  webUrl,
} from "../rules.ts";
import {
  boolean,
  choice,
  integer,
  json,
  list,
  number,
  secret,
  text,
  day,
  type Sections,
} from "../setting.ts";

/** A key for another service, as written in `auth.api_keys`. */
export interface ConfiguredApiKey {
  readonly name: string;
  /** Hex SHA-256 of the key. */
  readonly sha256: string;
  readonly user_id: string;
  readonly roles?: readonly string[];
  /** Only these actions are allowed, such as access_chat_session, and these agents; absent: whatever the roles allow. */
  readonly scopes?: readonly string[];
  /** Its front end says in each request for which of its users it is. */
  readonly acts_for_users?: boolean;
  /** What becomes of a reply when its client closes the connection, in protocols whose clients stop it so. */
  readonly on_disconnect?: "continue" | "cancel";
}

const userId = required(
  "text of 1 to 128 characters",
  (value) => isText(value) && String(value).length <= 128,
);
/** What `scopes` of a key may hold: the actions of `src/identity/identity.ts`. */
const apiKeyScopes: readonly string[] = [
  "create_chat_session",
  "access_chat_session",
  "send_message",
  "delete_chat_session",
  "manage_sessions",
];

/** Who is calling, and what of that is kept. */
export const accessSettings = {
  base_service: {
    url: text("Base URL of a Base Service (users, permissions)", null, { rule: baseUrl }),
    prefix: text("In front of its paths", "/api/v1", { rule: urlPathOrEmpty }),
    cache_ttl_seconds: number("How long identities and verdicts are kept", 30, { maximum: day }),
    on_unreachable: choice(
      "When it cannot be asked: deny, or allow reading to users it has just confirmed",
      ["deny", "allow_read"],
      "deny",
    ),
  },
  auth: {
    mode: choice(
      "open: callers name their user_id; jwt: signed tokens; base-service: ask it",
      ["open", "jwt", "base-service"],
      "open",
    ),
    api_keys: json<readonly ConfiguredApiKey[]>(
      "Keys for services: a list of {name, sha256, user_id, roles, scopes, acts_for_users, on_disconnect}",
      [],
      listOf(
        "keys",
        {
          name,
          sha256: required(
            "the SHA-256 of the key in 64 lower-case hex digits, as sha256sum prints it",
            (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value),
          ),
          user_id: userId,
          roles: wordList,
          scopes: optional(
            `a list of ${apiKeyScopes.join(", ")} and agents:<id>:run`,
            (value) =>
              Array.isArray(value) &&
              value.every(
                (scope) =>
                  typeof scope === "string" &&
                  (apiKeyScopes.includes(scope) || /^agents:[^\s/\p{Cc}]{1,200}:run$/u.test(scope)),
              ),
          ),
          acts_for_users: optional("true or false", (value) => typeof value === "boolean"),
          on_disconnect: optional(
            "continue or cancel",
            (value) => value === "continue" || value === "cancel",
          ),
        },
        ["name", "sha256"],
      ),
      {
        secretMembers: ["sha256"],
        example: [
          {
            name: "reports",
            sha256: "c48dd3d02924ebed66ed954dc8211f3cada6a64874bea96e6b57749b33438617",
            user_id: "reports-service",
            roles: ["reader"],
          },
        ],
      },
    ),
    allow_open_in_production: boolean(
      "Start in open mode although environment is production",
      false,
    ),
  },
  audit: {
    retention_days: integer(
      "What administrators did, and what they reached of others', is kept for so many days; 0: for ever",
      365,
      { maximum: 36_500 },
    ),
  },
  security: {
    secret_key: secret("HS256 secret of the tokens"),
    jwks_url: text("Where the public keys of the tokens are", null, { rule: webUrl }),
    issuer: text("Required iss of tokens", null),
    audience: text("Required aud of tokens", null),
    clock_skew_seconds: number("Tolerance for exp and nbf", 60, { maximum: 300 }),
    allowed_hosts: list(
      "Host names answered; * for all; unset: all, but in auth.mode open on a loopback address without trusted proxies only this machine's own",
      [],
      { rule: hostPattern },
    ),
    cors_origins: list("Origins whose pages may use this service beside its own; * for all", [], {
      rule: browserOrigin,
    }),
    trusted_proxies: list("Addresses (CIDR) whose X-Forwarded-For is believed", [], {
      rule: addressRange,
    }),
  },
} as const satisfies Sections;
