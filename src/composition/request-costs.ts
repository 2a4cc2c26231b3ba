import type { Cost } from "../http/request-limits.ts";

/**
 * What answering each route costs, beside what it says of itself: a route that is not in here, and not open to everybody,
 * keeps the service from starting. Open routes that are not in here are not limited: pages, and what watches over the
 * service asks.
 */
export function requestCosts(metricsPath: string): Readonly<Record<string, Cost>> {
  return {
    // The rate of messages is the commands': they come over other doors too.
    "POST /chat/message": "message",
    "POST /chat/message/stream": "message",
    "POST /chat/voice": "speech",
    "POST /chat/voice/transcribe": "speech",
    "POST /chat/voice/synthesize": "speech",
    "POST /chat/message/:message_id/regenerate": "message",
    "POST /chat/message/:message_id/edit": "message",
    "POST /chat/message/:message_id/continue": "steer",
    "POST /chat/message/:message_id/cancel": "steer",
    "GET /chat/message/:message_id/stream": "follow",
    "GET /sessions/events": "follow",

    "POST /v1/chat/completions": "message",
    "POST /v1/responses": "message",
    "POST /v1/responses/:response_id/cancel": "steer",
    "GET /v1/responses/:response_id": "follow",
    "DELETE /v1/responses/:response_id": "write",
    "GET /v1/responses/:response_id/input_items": "read",
    "GET /v1/models": "read",
    "GET /v1/models/:model": "read",

    "DELETE /chat/message/:message_id": "write",
    "PATCH /chat/message/:message_id": "message",
    "POST /sessions/:session_id/fork": "write",
    "POST /sessions/:session_id/share": "write",
    "DELETE /sessions/:session_id/share/:share_id": "write",
    "POST /chat/session": "write",
    "PATCH /sessions/:session_id": "write",
    "DELETE /sessions/:session_id": "write",
    "DELETE /chat/session/:session_id": "write",
    "PUT /chat/message/:message_id/feedback": "write",
    "DELETE /usage": "bulk",
    "DELETE /chat/memories": "bulk",
    "DELETE /chat/memories/:memory_id": "write",
    "POST /chat/knowledge/:knowledge_id/documents": "bulk",
    "DELETE /chat/knowledge/:knowledge_id/documents/:document_id": "write",
    "POST /sessions/batch": "bulk",
    "POST /sessions/cleanup": "bulk",

    "GET /share/:share_id": "view",
    "GET /share/:share_id/files/:attachment_id": "read",
    "GET /sessions/:session_id/export": "transfer",
    "GET /export": "transfer",
    "POST /import": "import",

    "GET /sessions": "list",
    "GET /chat/history/:session_id": "list",
    "GET /feedback": "list",
    "GET /chat/search": "search",
    "GET /sessions/user/:user_id/stats": "search",
    "GET /usage": "search",
    "GET /chat/memories": "search",
    "GET /chat/knowledge": "search",
    "GET /sessions/:session_id/queue": "list",
    "GET /sessions/:session_id/share": "read",
    "GET /sessions/:session_id": "read",
    "GET /chat/session/:session_id/status": "read",
    "GET /chat/message/:message_id": "read",
    "GET /chat/attachments/:attachment_id": "read",
    "GET /chat/audio/:audio_id": "read",
    "GET /chat/agents": "read",
    "GET /chat/models": "read",
    "GET /chat/voices": "read",

    "GET /openapi.json": "read",
    "GET /docs/json": "read",
    "GET /docs/yaml": "read",
    "GET /health/detailed": "read",
    "GET /health/metrics": "read",
    [`GET ${metricsPath}`]: "read",
  };
}
