import { identified, identity } from "../state/identity.ts";
import { language } from "../state/preferences.ts";
import { ApiError, apiUrl, named, Unreachable } from "./request.ts";

interface Upload {
  readonly file: File;
  readonly signal: AbortSignal;
}

/**
 * Sends a file of any size as a form and tells how much of it has gone, from 0 to 1, which `fetch` cannot. Raises ApiError,
 * Unreachable, or what `signal` was aborted with.
 */
export async function upload<T>(
  path: string,
  { file, signal }: Upload,
  onProgress: (share: number) => void,
): Promise<T> {
  await identified(signal);
  const current = identity.get();
  const form = new FormData();
  form.append("file", file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    signal.addEventListener("abort", stop);
    request.open("POST", apiUrl(path, named(current)));
    request.responseType = "json";
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Accept-Language", language.get());
    if (current.kind === "token") {
      request.setRequestHeader("Authorization", `Bearer ${current.token}`);
    }
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("loadend", () => {
      signal.removeEventListener("abort", stop);
      const { status, response } = request;
      if (signal.aborted) reject(signal.reason as Error);
      else if (status === 0) reject(new Unreachable("The service cannot be reached"));
      else if (status === 200) resolve(response as T);
      else reject(refusal(status, response));
    });
    request.send(form);
  });
}

function refusal(status: number, body: unknown): ApiError {
  const { error } = (body ?? {}) as { error?: { type?: unknown; message?: unknown } };
  const type = typeof error?.type === "string" ? error.type : "unknown";
  const message = typeof error?.message === "string" ? error.message : String(status);
  return new ApiError(status, type, message, null);
}
