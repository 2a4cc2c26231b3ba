import { client } from "../api/client.ts";
import { ApiError } from "../../../packages/client/src/index.ts";
import { refreshCatalogue, serviceConfig } from "./catalogue.ts";
import { isConnected, waitToRetry } from "./connection.ts";
import { conversation } from "./conversation.ts";
import { setFollowing } from "./follow.ts";
import { syncConversation } from "./sync.ts";
import { enterOpen, identity, savedToken } from "./identity.ts";
import { tidyFiles } from "./kept-files.ts";
import { startNavigation } from "./navigation.ts";
import { reopenConversation } from "./open-conversation.ts";
import { hasToTell, startNotifying } from "./notify-replies.ts";
import { language } from "./preferences.ts";
import { deliverAll } from "./send.ts";
import { isTold, listenAnew, setListening } from "./session-events.ts";
import { refreshSessions } from "./sessions.ts";
import { onTabNews } from "./tabs.ts";
import { speaking } from "../voice/player.ts";

/** While the service does not tell what happens by itself. */
const conversationPollMs = 3_000;
const sessionsPollMs = 12_000;
/** A tab that nobody looks at lets go of its streams after this. */
const hiddenMs = 20_000;

const never = new AbortController().signal;

/** Finds out who the page speaks for, then brings everything up and keeps it up to date. */
export async function startChat(): Promise<void> {
  await findIdentity();
  let isStarted = false;
  const enter = () => {
    const { kind } = identity.get();
    if (kind !== "open" && kind !== "token") return setListening(false);
    void refreshCatalogue();
    void refreshSessions();
    if (!isStarted) startNavigation();
    else void reopenConversation();
    isStarted = true;
    listenAnew();
    deliverAll();
  };
  enter();
  identity.subscribe(enter);
  language.subscribe(() => {
    if (isStarted) void refreshCatalogue();
  });
  keepUpToDate();
  startNotifying();
  void tidyFiles();
}

async function findIdentity(): Promise<void> {
  const token = savedToken();
  if (token !== null) {
    identity.set({ kind: "token", token });
    void loadConfig();
    return;
  }
  for (let attempt = 0; ; attempt += 1) {
    try {
      await loadConfig();
      const mode = serviceConfig.get()?.features["authentication"];
      if (mode === "open") enterOpen();
      else if (mode !== undefined) identity.set({ kind: "sign-in", wasRefused: false });
      else await probe();
      return;
    } catch {
      await waitToRetry(attempt, never);
    }
  }
}

async function loadConfig(): Promise<void> {
  try {
    serviceConfig.set(await client.config());
  } catch (error) {
    // A gateway may keep it back; then the page asks elsewhere.
    if (!(error instanceof ApiError)) throw error;
  }
}

/** Without credentials and a user's name, the sessions say which of the two is missing. */
async function probe(): Promise<void> {
  try {
    await client.request({ method: "GET", path: "/sessions", query: { limit: 1 } });
    enterOpen();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) identity.set({ kind: "sign-in", wasRefused: false });
    else if (error.status < 500) enterOpen();
    else throw error;
  }
}

function keepUpToDate(): void {
  const isSeen = () => document.visibilityState === "visible";
  const isIn = () => identity.get().kind === "open" || identity.get().kind === "token";
  const everything = () => {
    if (!isIn()) return;
    void syncConversation();
    void refreshSessions();
    deliverAll();
  };
  setInterval(() => {
    if (isSeen() && isIn() && !isTold.get()) void syncConversation();
  }, conversationPollMs);
  setInterval(() => {
    if (isSeen() && isIn() && !isTold.get()) void refreshSessions();
  }, sessionsPollMs);
  let hidden: ReturnType<typeof setTimeout> | undefined;
  const letGo = () => {
    // The end of what is being written is to be told, and what is being read aloud is listened to.
    if (hasToTell()) {
      hidden = setTimeout(letGo, hiddenMs);
      return;
    }
    if (speaking.get() === null) setFollowing(false);
    setListening(false);
  };
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (isSeen()) {
      setFollowing(true);
      if (isIn()) setListening(true);
      everything();
    } else hidden = setTimeout(letGo, hiddenMs);
  });
  window.addEventListener("online", everything);
  window.addEventListener("offline", () => isConnected.set(false));
  isConnected.subscribe(() => {
    if (isConnected.get()) everything();
  });
  onTabNews((sessionId) => {
    if (!isIn()) return;
    void refreshSessions();
    if (conversation.get().sessionId === sessionId) void syncConversation();
  });
}
