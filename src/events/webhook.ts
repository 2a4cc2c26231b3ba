import { createHmac } from "node:crypto";
import { fetchJson, PeerFault } from "../lib/fetch-json.ts";
import type { ClaimedEntry } from "../database/outbox.ts";

type Delivery =
  | { readonly outcome: "delivered" }
  /** `final`: the receiver says that it wants no more of it. */
  | {
      readonly outcome: "failed";
      readonly problem: string;
      readonly final: boolean;
      readonly retryAfterMs: number | null;
    };

/** Posts events to a receiver, signed. */
export interface Webhook {
  /** Raises the signal's reason when it is aborted; every other fault is a `failed` delivery. */
  deliver(event: ClaimedEntry, signal: AbortSignal): Promise<Delivery>;
}

interface WebhookOptions {
  readonly url: string;
  /** Null: unsigned. `whsec_…` is taken as Base64, as Standard Webhooks writes keys; anything else as it is. */
  readonly secret: string | null;
  readonly timeoutMs?: number;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

const maxRetryAfterMs = 60 * 60_000;

export function createWebhook({
  url,
  secret,
  timeoutMs = 10_000,
  now = Date.now,
}: WebhookOptions): Webhook {
  const key =
    secret === null
      ? null
      : secret.startsWith("whsec_")
        ? Buffer.from(secret.slice("whsec_".length), "base64")
        : Buffer.from(secret, "utf8");

  return {
    async deliver(event, signal) {
      const bodyText = JSON.stringify({
        id: event.entryId,
        event_type: event.type,
        type: "user_action",
        source_service: "chat-service",
        data: event.data,
        priority: 2,
        timestamp: event.createdAt.toISOString(),
      });
      try {
        const answer = await fetchJson(url, {
          method: "POST",
          bodyText,
          headers: signatureHeaders(key, event.entryId, Math.floor(now() / 1000), bodyText),
          timeoutMs,
          maxBytes: 64 * 1024,
          signal,
          repeatable: true,
        });
        if (answer.status >= 200 && answer.status < 300) return { outcome: "delivered" };
        const seconds = /^\d{1,6}$/.test(answer.retryAfter ?? "")
          ? Number(answer.retryAfter)
          : null;
        return {
          outcome: "failed",
          problem: `status ${answer.status}`,
          final: answer.status === 410,
          retryAfterMs: seconds === null ? null : Math.min(seconds * 1000, maxRetryAfterMs),
        };
      } catch (error) {
        if (!(error instanceof PeerFault)) throw error;
        return { outcome: "failed", problem: error.message, final: false, retryAfterMs: null };
      }
    },
  };
}

/**
 * `webhook-*` as https://www.standardwebhooks.com says (id, time and body are signed, so that an old delivery cannot
 * be replayed), and the body's own signature for receivers that know only that.
 */
export function signatureHeaders(
  key: Buffer | null,
  eventId: string,
  epochSeconds: number,
  body: string,
): Record<string, string> {
  const identity = { "webhook-id": eventId, "webhook-timestamp": String(epochSeconds) };
  if (key === null) return identity;
  const sign = (text: string) => createHmac("sha256", key).update(text);
  return {
    ...identity,
    "webhook-signature": `v1,${sign(`${eventId}.${epochSeconds}.${body}`).digest("base64")}`,
    "x-signature-256": `sha256=${sign(body).digest("hex")}`,
  };
}
