/** News for the other tabs of this browser: something about this session has changed. */
const channel = "BroadcastChannel" in window ? new BroadcastChannel("chat-service") : null;

export function tellTabs(sessionId: string): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has no target
  channel?.postMessage({ sessionId });
}

export function onTabNews(listener: (sessionId: string) => void): void {
  channel?.addEventListener("message", ({ data }: MessageEvent<{ sessionId?: unknown }>) => {
    if (typeof data.sessionId === "string") listener(data.sessionId);
  });
}
