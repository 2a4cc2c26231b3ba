/** As much of a browser's as is used, for runtimes that know none. */
interface ProgressRequest extends EventTarget {
  readonly upload: EventTarget;
  readonly status: number;
  readonly statusText: string;
  readonly response: Blob | null;
  responseType: string;
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  getAllResponseHeaders(): string;
  send(body: unknown): void;
  abort(): void;
}

const { XMLHttpRequest } = globalThis as unknown as { XMLHttpRequest?: new () => ProgressRequest };

/** How much has gone, from 0 to 1. */
export type OnProgress = (share: number) => void;

const pieceBytes = 64 * 1024;

/** As `fetch`, and tells how much of the body has gone. The answer is whole when it is there: this is not for streams. */
export function sendWithProgress(
  send: typeof fetch,
  url: string,
  init: RequestInit,
  onProgress: OnProgress,
): Promise<Response> {
  return XMLHttpRequest === undefined
    ? sendInPieces(send, url, init, onProgress)
    : sendByXhr(new XMLHttpRequest(), url, init, onProgress);
}

/** Browsers tell it nowhere else. */
function sendByXhr(
  request: ProgressRequest,
  url: string,
  init: RequestInit,
  onProgress: OnProgress,
): Promise<Response> {
  const { signal } = init;
  return new Promise((resolve, reject) => {
    const stop = () => request.abort();
    request.open(init.method ?? "POST", url);
    request.responseType = "blob";
    for (const [name, value] of Object.entries(init.headers as Record<string, string>)) {
      request.setRequestHeader(name, value);
    }
    request.upload.addEventListener("progress", (event) => {
      const { lengthComputable, loaded, total } = event as unknown as {
        readonly lengthComputable: boolean;
        readonly loaded: number;
        readonly total: number;
      };
      if (lengthComputable) onProgress(loaded / total);
    });
    request.addEventListener("loadend", () => {
      signal?.removeEventListener("abort", stop);
      if (signal?.aborted === true) return reject(signal.reason as Error);
      if (request.status === 0) return reject(new TypeError("The connection was lost"));
      const lines = request.getAllResponseHeaders().trim().split(/\r?\n/);
      const headers = lines.map((line) => line.split(/:\s*(.*)/).slice(0, 2) as [string, string]);
      const { status, statusText } = request;
      resolve(new Response(request.response, { status, statusText, headers }));
    });
    signal?.addEventListener("abort", stop);
    if (signal?.aborted === true) return reject(signal.reason as Error);
    request.send(init.body);
  });
}

/** Elsewhere bodies are taken piece by piece, as the connection takes them. */
async function sendInPieces(
  send: typeof fetch,
  url: string,
  init: RequestInit,
  onProgress: OnProgress,
): Promise<Response> {
  const whole = new Response(init.body ?? null);
  const type = whole.headers.get("Content-Type");
  const bytes = new Uint8Array(await whole.arrayBuffer());
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent > 0) onProgress(Math.min(1, sent / bytes.length));
      if (sent >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(sent, sent + pieceBytes));
      sent += pieceBytes;
    },
  });
  const headers = { ...(type !== null && { "Content-Type": type }), ...(init.headers as object) };
  return send(url, { ...init, headers, body, duplex: "half" } as RequestInit);
}
