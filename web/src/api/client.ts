import { ConnectionError, createChatClient } from "../../../packages/client/src/index.ts";
import { isConnected, waitUntil } from "../state/connection.ts";
import { identified, identity, signOut } from "../state/identity.ts";
import { language } from "../state/preferences.ts";

/** The service beside the page, whatever prefix it is served below. */
export const client = createChatClient({
  baseUrl: new URL("./", document.baseURI).href,
  language: () => language.get(),
  token: () => {
    const current = identity.get();
    return current.kind === "token" ? current.token : null;
  },
  // What is a user's waits until it is known who that is.
  userId: async () => {
    await identified();
    const current = identity.get();
    return current.kind === "open" ? current.userId : null;
  },
  // Who looks at the page is told at once; what goes on by itself says so where it is asked for.
  maxRetries: 0,
  patienceMs: 0,
  wait: ({ delayMs, isFixed }, signal) => waitUntil(delayMs, signal, isFixed),
  async around({ path }, send) {
    const current = identity.get();
    let response: Response;
    try {
      response = await send();
    } catch (error) {
      // Anything else is somebody's wish.
      if (error instanceof TypeError || error instanceof ConnectionError) isConnected.set(false);
      throw error;
    }
    // A proxy that cannot reach the service answers in its place.
    isConnected.set(response.status !== 502 && response.status !== 504);
    // Figures of the service are for some only: their refusal says nothing of who is signed in.
    const isTheirs = !path.startsWith("/health/");
    if (response.status === 401 && isTheirs && identity.get() === current) {
      signOut(current.kind === "token");
    }
    return response;
  },
});

/** Goes on until it works. */
export const patiently = { patienceMs: Number.POSITIVE_INFINITY } as const;
