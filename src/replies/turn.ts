import type { Decision, RunSettings } from "../agents/agent-backend.ts";
import type { Language } from "../problems/catalogue.ts";

/** Speech wanted with a reply (`voice_config`). */
export interface VoiceRequest {
  readonly enable_tts?: boolean;
  readonly stream_audio?: boolean;
  readonly voice?: string;
  readonly format?: string;
  readonly speed?: number;
}

export interface Steered {
  /** The user's message that its run began with. */
  readonly from: string;
  /** Those that it has taken in, oldest first. */
  readonly by: readonly string[];
}

/**
 * What an agent is to be called with. Stored with the reply until it has ended, so that any node can start it; it
 * holds no token and nothing secret.
 */
export interface Turn {
  readonly userId: string;
  /** Of the API key with which the message came, if one did: its budget pays. */
  readonly keyName?: string;
  readonly language: Language;
  readonly requestId: string;
  readonly traceparent?: string;
  /** The session's, as they were when its reply began. */
  readonly settings: RunSettings;
  /** For this turn only. */
  readonly ownSettings?: RunSettings;
  readonly context?: Readonly<Record<string, unknown>>;
  readonly voice?: VoiceRequest;
  /** Files came with the message; they are stored with it. */
  readonly hasAttachments?: boolean;
  /** It came with `on_busy: "merge"`: while it waits, the next message may become part of it. */
  readonly merges?: boolean;
  /** Messages of the user in front of the one that is replied to, answered together with it, oldest first. */
  readonly joins?: readonly string[];
  /** The running reply that is to take its message in (`on_busy: "steer"`); until then it waits like any other. */
  readonly steers?: string;
  /** Of a reply that has taken messages in. */
  readonly steered?: Steered;
  /** What a person has decided about its last pause: its source may not have heard of it yet. */
  readonly decided?: readonly Decision[];
  /** Transcript, when the message was spoken. */
  readonly processedMessage?: string;
}
