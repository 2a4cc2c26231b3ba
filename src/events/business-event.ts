import type { Queryable } from "../database/database.ts";

/** What happened, for other services. Ids and figures only, never what somebody wrote. */
export type BusinessEvent =
  | {
      readonly type: "chat_session.created";
      readonly data: {
        readonly session_id: string;
        readonly user_id: string;
        readonly agent_id: string;
        /** ISO 8601. */
        readonly creation_time: string;
      };
    }
  | {
      /** `processed`: it is complete. */
      readonly type:
        | "chat_message.processed"
        | "chat_message.failed"
        | "chat_message.cancelled"
        | "chat_message.interrupted"
        | "chat_message.paused";
      readonly data: {
        readonly session_id: string;
        /** Of the reply. */
        readonly message_id: string;
        readonly user_id: string;
        readonly agent_id: string;
        readonly message_type: "text" | "voice";
        readonly status: "complete" | "failed" | "cancelled" | "interrupted" | "paused";
        /** Why it ended, such as `stop`, `length`, `cancelled`, `session_deleted`. */
        readonly finish_reason: string;
        /** Of one that ended in a fault. */
        readonly error_type?: string;
        /** Seconds from acceptance to the stored end. */
        readonly processing_time: number;
        /** When that was stored; ISO 8601. */
        readonly timestamp: string;
      };
    }
  | {
      /** Once for each budget, whose it is, and period. */
      readonly type: "budget.warning";
      readonly data: {
        readonly scope: "user" | "key" | "all";
        readonly user_id: string | null;
        /** The name of the API key. */
        readonly key: string | null;
        readonly period: "day" | "month";
        readonly unit: "tokens" | "money";
        readonly used: number;
        readonly limit: number;
        /** ISO 8601. */
        readonly renews_at: string;
      };
    };

/**
 * Notes an event in the transaction of what it tells of: both are committed, or neither. Costs one insert and waits
 * for nobody. Where no receiver is configured it does nothing.
 */
export type RecordEvent = (tx: Queryable, event: BusinessEvent) => Promise<void>;

/** Where no receiver is configured. */
export const ignoreEvent: RecordEvent = async () => {};
