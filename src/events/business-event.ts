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
      readonly type: "chat_message.processed";
      readonly data: {
        readonly session_id: string;
        /** Of the reply. */
        readonly message_id: string;
        readonly user_id: string;
        readonly agent_id: string;
        readonly message_type: "text" | "voice";
        /** Seconds from acceptance to the stored reply. */
        readonly processing_time: number;
        /** When the reply was stored; ISO 8601. */
        readonly timestamp: string;
      };
    };

/**
 * Notes an event in the transaction of what it tells of: both are committed, or neither. Costs one insert and waits
 * for nobody. Where no receiver is configured it does nothing.
 */
export type RecordEvent = (tx: Queryable, event: BusinessEvent) => Promise<void>;
