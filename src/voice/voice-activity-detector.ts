/** Length of the frames that are judged. */
export const activityFrameMs = 30;

/** Judges one stream of sound as it comes. Not to be used after `close`, which may be called twice. */
export interface ActivityStream {
  /**
   * Takes samples (16 kHz, one channel) in pieces of any size and says for each frame of 30 ms that is now complete
   * whether it sounds like a voice. One frame says little: see `speech-activity.ts`.
   */
  push(samples: Int16Array): boolean[];
  close(): void;
}

/** Tells voices from silence and noise. */
export interface VoiceActivityDetector {
  open(): ActivityStream;
}
