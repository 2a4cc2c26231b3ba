import type { ProblemType } from "../problems/catalogue.ts";

/** What a turn may be refused for in any protocol, for the descriptions of their routes. */
export const turnRefusals: readonly ProblemType[] = [
  "malformed_json",
  "unsupported_parameter",
  "agent_not_found",
  "message_not_found",
  "session_busy",
  "session_archived",
  "idempotency_conflict",
  "message_not_running",
  "budget_exceeded",
  "queue_full",
  "storage_quota_exceeded",
  "agent_unavailable",
  "overloaded",
  "shutting_down",
];
