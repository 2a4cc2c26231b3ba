import { client } from "../api/client.ts";
import type { Message, SessionInfo } from "../api/types.ts";
import { isLast } from "../../../packages/client/src/index.ts";
import { currentTexts } from "../text/use-texts.ts";
import { agentName, agents } from "./catalogue.ts";
import { conversation } from "./conversation.ts";
import { onReplyEvent } from "./follow.ts";
import { goTo, linkTo } from "./navigation.ts";
import { notify } from "./notices.ts";
import { isUnfinished } from "./reply-view.ts";
import { createSavedStore } from "./saved.ts";
import { onSessionEvent } from "./session-events.ts";
import { sessionList } from "./sessions.ts";
import { createStore } from "./store.ts";

const choices = ["off", "bare", "text"] as const;

/** What is told of a reply that has ended while nobody looked: nothing, that it is there, or how it begins. */
export const notifications = createSavedStore<(typeof choices)[number]>(
  "notifications",
  "off",
  (value): value is (typeof choices)[number] => choices.some((choice) => choice === value),
);

/** Replies that have ended since somebody looked at this tab. */
export const unseen = createStore(0);

const maxTextLength = 200;

export function canNotify(): boolean {
  return "Notification" in window;
}

/** The browser is asked here and nowhere else: when somebody wants it. */
export async function chooseNotifications(choice: (typeof choices)[number]): Promise<void> {
  if (choice !== "off" && (await Notification.requestPermission()) !== "granted") {
    notify({ kind: "error", text: currentTexts().notifications.denied });
    return;
  }
  notifications.set(choice);
}

/** Whether a tab that nobody looks at has still something to tell, for which it must hear of a reply's end. */
export function hasToTell(): boolean {
  const isRunning = (session: SessionInfo) => session.active_message_status === "streaming";
  return (
    notifications.get() !== "off" &&
    (conversation.get().messages.some(isUnfinished) || sessionList.get().sessions.some(isRunning))
  );
}

export function startNotifying(): void {
  onReplyEvent((message, event) => {
    const { message_id: id, status } = message;
    if (isLast(event)) noteEnd(`${id} ${status}`, () => Promise.resolve(message));
  });
  onSessionEvent(({ type, message_id: id, status }) => {
    if (type !== "reply_ended" || id === undefined) return;
    noteEnd(`${id} ${status}`, () => client.messages.get(id));
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return;
    unseen.set(0);
    heard.clear();
  });
}

/** Of the one that is followed one hears twice. */
const heard = new Set<string>();

function noteEnd(end: string, read: () => Promise<Message>): void {
  if (document.visibilityState === "visible" || heard.has(end)) return;
  heard.add(end);
  unseen.set((count) => count + 1);
  void read()
    .then(tell)
    .catch(() => undefined);
}

async function tell(message: Message): Promise<void> {
  const wish = notifications.get();
  if (wish === "off" || !canNotify() || Notification.permission !== "granted") return;
  const { message_id: id, session_id: sessionId, status, content, agent_id: agentId } = message;
  const texts = currentTexts();
  const isGood = status === "complete";
  let body =
    status === "paused"
      ? texts.notifications.asks
      : isGood
        ? texts.notifications.ready
        : texts.notifications.failed;
  if (wish === "text" && isGood) {
    const { plainText } = await import("../markdown/plain-text.ts");
    body = plainText(content, texts.remarks).slice(0, maxTextLength) || body;
  }
  const title = wish === "text" ? agentName(agents.get(), agentId) : texts.appName;
  // Several tabs may see it end: one of their notifications stays.
  const options = { body, tag: id, data: { url: linkTo(sessionId, id) } };
  const registration = await navigator.serviceWorker?.getRegistration();
  // Phones show only what a service worker shows.
  if (registration?.active) return registration.showNotification(title, options);
  const notification = new Notification(title, options);
  notification.addEventListener("click", () => {
    window.focus();
    if (conversation.get().sessionId !== sessionId) goTo(sessionId, { messageId: id, words: "" });
    notification.close();
  });
}
