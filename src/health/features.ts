import { maxAttachments } from "../attachments/read-attachments.ts";
import type { Config } from "../config/settings.ts";

/** What this service was set up with, beyond what the configuration alone tells. */
export interface BuiltFeatures {
  /** Speech can be recognised. */
  readonly transcription: boolean;
  /** Speech can be made. */
  readonly synthesis: boolean;
  readonly websocket: boolean;
  /** Some source of agents lets sessions choose their model. */
  readonly modelSelection: boolean;
}

export function docsAreServed({ development, service }: Config): boolean {
  return (
    development.enable_docs === "always" ||
    (development.enable_docs === "auto" && service.environment !== "production")
  );
}

/** What a client may rely on. */
export function describeFeatures(config: Config, built: BuiltFeatures) {
  const { agno, auth } = config;
  return {
    streaming_enabled: true,
    resumable_streams: true,
    voice_enabled: built.transcription || built.synthesis,
    transcription_enabled: built.transcription,
    synthesis_enabled: built.synthesis,
    websocket_enabled: built.websocket,
    agno_integration: agno.api_url !== null || agno.servers.length > 0,
    model_selection: built.modelSelection,
    docs_enabled: docsAreServed(config),
    authentication: auth.mode,
  };
}

/** What requests are held to; null: no limit. */
export function describeLimits({ limits, sessions, streams }: Config) {
  const orNull = (limit: number) => (limit === 0 ? null : limit);
  return {
    max_message_length: limits.max_message_length,
    max_body_bytes: limits.max_body_size,
    max_upload_bytes: limits.max_upload_size,
    max_attachments: maxAttachments,
    max_history_length: 200,
    messages_per_minute: orNull(limits.message_rate_limit),
    reads_per_minute: orNull(limits.read_rate_limit),
    searches_per_minute: orNull(limits.search_rate_limit),
    writes_per_minute: orNull(limits.write_rate_limit),
    speech_requests_per_minute: orNull(limits.speech_rate_limit),
    upload_bytes_per_minute: orNull(limits.upload_rate_limit),
    max_stored_bytes: orNull(limits.max_stored_bytes_per_user),
    max_queued_per_session: limits.max_queued_per_session,
    max_active_sessions: orNull(limits.max_concurrent_sessions),
    max_reply_seconds: streams.max_reply_seconds,
    stream_retention_seconds: streams.retention_seconds,
    idempotency_hours: sessions.idempotency_hours,
    session_timeout_hours: orNull(sessions.retention_days * 24),
  };
}
