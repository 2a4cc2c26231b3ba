import type { ProblemType } from "../../../src/problems/catalogue.ts";

/**
 * What helps when a reply has failed or a message was refused: trying again, another model, saying it otherwise, signing in,
 * bringing the conversation back from the archive, waiting for one's turn, a new conversation.
 */
export type Remedy = "again" | "model" | "edit" | "signIn" | "activate" | "queue" | "fresh";

const again = ["again"] as const;
const edit = ["edit"] as const;
const other = ["again", "model"] as const;

/** By what it is that went wrong, the likeliest first. What stands here for requests that write nothing is for others' pages. */
export const remedies: Readonly<Record<ProblemType, readonly [Remedy, ...Remedy[]]>> = {
  agent_failed: other,
  agent_not_found: ["edit", "fresh"],
  agent_timeout: other,
  agent_unavailable: other,
  api_key_not_found: ["signIn"],
  attachment_not_found: edit,
  audio_not_found: again,
  bad_request: edit,
  budget_exceeded: again,
  context_too_long: ["edit", "model", "fresh"],
  forbidden: ["signIn", "edit"],
  idempotency_conflict: again,
  import_failed: again,
  internal_error: again,
  interrupted: again,
  knowledge_not_found: again,
  malformed_json: again,
  memory_not_found: again,
  message_not_found: ["again", "fresh"],
  message_not_queued: again,
  message_not_running: again,
  message_running: ["queue", "again"],
  method_not_allowed: again,
  not_found: again,
  overloaded: again,
  payload_too_large: edit,
  queue_full: again,
  range_not_satisfiable: again,
  rate_limited: again,
  session_archived: ["activate"],
  session_busy: ["queue", "again"],
  session_not_found: ["fresh"],
  share_not_found: again,
  shutting_down: again,
  speech_failed: again,
  speech_timeout: again,
  storage_quota_exceeded: edit,
  storage_unavailable: again,
  unauthorized: ["signIn"],
  unsupported: edit,
  unsupported_media_type: edit,
  unsupported_parameter: edit,
  validation_failed: edit,
  voice_unavailable: again,
};

/** Of a type that a newer service or something in between has made up, trying again is all one can do. */
export function remediesFor(type: string | null | undefined): readonly Remedy[] {
  return type !== null && type !== undefined && isKnown(type) ? remedies[type] : again;
}

export function isKnown(type: string): type is ProblemType {
  return Object.hasOwn(remedies, type);
}
