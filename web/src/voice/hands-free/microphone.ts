import captureUrl from "./capture.worklet.ts?worker&url";

/** Why nothing can be heard. */
export type Deafness = "insecure" | "unsupported" | "denied" | "none" | "taken" | "lost";

export class CannotListen extends Error {
  readonly reason: Deafness;

  constructor(reason: Deafness) {
    super(reason);
    this.reason = reason;
  }
}

export interface Microphone {
  readonly sampleRate: number;
  close(): void;
}

/** The most that the service takes. */
const maxRateHz = 48_000;

const reasons: Readonly<Record<string, Deafness>> = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "none",
  OverconstrainedError: "none",
  NotReadableError: "taken",
  AbortError: "taken",
};

/** Listens until it is closed. `onSound` gets 40 ms at a time, `onLost` is told when the microphone goes away. */
export async function openMicrophone(
  onSound: (samples: Int16Array) => void,
  onLost: () => void,
): Promise<Microphone> {
  if (!window.isSecureContext) throw new CannotListen("insecure");
  const { mediaDevices } = navigator as Partial<Navigator>;
  if (mediaDevices === undefined || !("AudioWorkletNode" in window)) {
    throw new CannotListen("unsupported");
  }
  const stream = await mediaDevices
    .getUserMedia({
      // Its own speech would interrupt the answer.
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    })
    .catch((error: unknown) => {
      throw new CannotListen(
        reasons[error instanceof DOMException ? error.name : ""] ?? "unsupported",
      );
    });
  let context = new AudioContext();
  if (context.sampleRate > maxRateHz) {
    void context.close();
    context = new AudioContext({ sampleRate: maxRateHz });
  }
  const close = () => {
    for (const track of stream.getTracks()) track.stop();
    // Whoever has lost it closes it once more.
    if (context.state !== "closed") void context.close();
  };
  try {
    await context.audioWorklet.addModule(captureUrl);
    const capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
    capture.port.addEventListener("message", ({ data }: MessageEvent<Int16Array>) => onSound(data));
    capture.port.start();
    context.createMediaStreamSource(stream).connect(capture);
    // Phones let it sleep until somebody has touched the page.
    if (context.state === "suspended") await context.resume();
  } catch (error) {
    close();
    throw error;
  }
  for (const track of stream.getAudioTracks()) track.addEventListener("ended", onLost);
  return { sampleRate: context.sampleRate, close };
}

/** How loud it is, from 0 to 1, as ears hear it. */
export function loudness(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / Math.max(1, samples.length)) / 32_768;
  const quietestDb = -60;
  return Math.max(0, 1 - (20 * Math.log10(Math.max(rms, 1e-4))) / quietestDb);
}
