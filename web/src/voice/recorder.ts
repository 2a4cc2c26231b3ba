import { createStore } from "../state/store.ts";

export type RecorderState =
  | { readonly kind: "idle" }
  | { readonly kind: "starting" }
  | { readonly kind: "recording"; readonly sinceMs: number }
  | { readonly kind: "sending" };

export const recorder = createStore<RecorderState>({ kind: "idle" });

/** As long as the service takes. */
const maxDurationMs = 10 * 60_000;
/** The first of these that the browser can make; the service takes them all. */
const types = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];

let active: MediaRecorder | null = null;
let onDone: ((sound: Blob | null) => void) | null = null;
let limit: ReturnType<typeof setTimeout> | undefined;
let isWanted = false;

/** Begins to record; `done` gets the sound, or null when it was given up. Raises what the browser says about the microphone. */
export async function startRecording(done: (sound: Blob | null) => void): Promise<void> {
  if (recorder.get().kind !== "idle") return;
  recorder.set({ kind: "starting" });
  isWanted = true;
  let stream: MediaStream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    recorder.set({ kind: "idle" });
    throw error;
  }
  const release = () => {
    for (const track of stream.getTracks()) track.stop();
  };
  // Let go before the microphone was there.
  if (!isWanted) {
    release();
    recorder.set({ kind: "idle" });
    done(null);
    return;
  }
  const mimeType = types.find((type) => MediaRecorder.isTypeSupported(type));
  const recording = new MediaRecorder(stream, mimeType === undefined ? {} : { mimeType });
  const parts: Blob[] = [];
  recording.addEventListener("dataavailable", ({ data }) => parts.push(data));
  recording.addEventListener("stop", () => {
    clearTimeout(limit);
    release();
    const told = onDone;
    active = null;
    onDone = null;
    recorder.set({ kind: "idle" });
    told?.(new Blob(parts, { type: recording.mimeType }));
  });
  active = recording;
  onDone = done;
  recording.start(1_000);
  limit = setTimeout(stopRecording, maxDurationMs);
  recorder.set({ kind: "recording", sinceMs: performance.now() });
}

/** What was recorded goes to whoever began. */
export function stopRecording(): void {
  isWanted = false;
  if (active?.state === "recording") active.stop();
}

/** What was recorded is thrown away. */
export function giveUpRecording(): void {
  const told = onDone;
  onDone = () => told?.(null);
  stopRecording();
}
