/** Of a service worker's own scope, which TypeScript describes only instead of a page's. */
interface ExtendableEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface FetchEvent extends ExtendableEvent {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface NotificationEvent extends ExtendableEvent {
  readonly notification: Notification;
}
interface WindowClient {
  readonly url: string;
  focus(): Promise<unknown>;
}
interface WorkerScope extends EventTarget {
  readonly registration: { readonly scope: string };
  readonly clients: {
    matchAll(options: {
      readonly type: "window";
      readonly includeUncontrolled: true;
    }): Promise<readonly WindowClient[]>;
    openWindow(url: string): Promise<unknown>;
  };
  skipWaiting(): Promise<void>;
}

const worker = self as unknown as WorkerScope;
/** The page's own files, written in when it is built: another version of the page is another worker. */
const files = JSON.parse("%SHELL%") as readonly string[];
const name = "%VERSION%";
const page = worker.registration.scope;
const shell = new Set(files.map((file) => new URL(file, page).href));

/** Nothing but these is ever kept: no answer of the API, nothing that is anybody's. */
async function keepShell(): Promise<void> {
  const answer = await fetch(page, { headers: { Accept: "text/html" }, cache: "no-cache" });
  // A proxy's own page, or one to sign in at, is not what is to be kept.
  if (!answer.ok || answer.redirected) throw new Error(`the page answers with ${answer.status}`);
  const cache = await caches.open(name);
  await cache.put(page, answer);
  await cache.addAll([...shell]);
}

async function forgetOthers(): Promise<void> {
  for (const each of await caches.keys()) {
    if (each.startsWith("shell-") && each !== name) await caches.delete(each);
  }
}

/** The page as the service has it, else as it was: it says then that it is offline. */
async function openPage(request: Request): Promise<Response> {
  const kept = async () => (await caches.match(page)) ?? Response.error();
  try {
    const answer = await fetch(request);
    // A proxy that cannot reach the service.
    return answer.status === 502 || answer.status === 504 ? await kept() : answer;
  } catch {
    return kept();
  }
}

async function openFile(request: Request): Promise<Response> {
  return (await caches.match(request.url)) ?? fetch(request);
}

async function show({ notification }: NotificationEvent): Promise<void> {
  notification.close();
  const { url = page } = (notification.data ?? {}) as { readonly url?: string };
  // A tab that was there before this worker is not its yet.
  const windows = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const open = windows.find((each) => each.url === url) ?? null;
  await (open === null ? worker.clients.openWindow(url) : open.focus());
}

worker.addEventListener("install", (event) => {
  (event as ExtendableEvent).waitUntil(keepShell().then(() => worker.skipWaiting()));
});
worker.addEventListener("activate", (event) => {
  (event as ExtendableEvent).waitUntil(forgetOthers());
});
worker.addEventListener("notificationclick", (event) => {
  (event as NotificationEvent).waitUntil(show(event as NotificationEvent));
});
worker.addEventListener("fetch", (event) => {
  const { request, respondWith } = event as FetchEvent;
  if (request.method !== "GET") return;
  const { origin, pathname } = new URL(request.url);
  const isPage = [page, new URL("status", page).href].includes(origin + pathname);
  if (request.mode === "navigate" && isPage) respondWith.call(event, openPage(request));
  else if (shell.has(request.url)) respondWith.call(event, openFile(request));
});
