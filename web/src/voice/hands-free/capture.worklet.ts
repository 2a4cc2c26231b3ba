/** Of AudioWorklet's own scope, which no library of TypeScript describes. */
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: typeof AudioWorkletProcessor): void;
declare const sampleRate: number;

const frameLength = Math.round(sampleRate * 0.04);

/** Passes on what the microphone hears as signed 16-bit samples, silence too. */
class Capture extends AudioWorkletProcessor {
  private frame = new Int16Array(frameLength);
  private filled = 0;

  process([channels]: readonly (readonly Float32Array[])[]): boolean {
    for (const value of channels?.[0] ?? []) {
      this.frame[this.filled] = Math.round(Math.max(-1, Math.min(1, value)) * 32_767);
      this.filled += 1;
      if (this.filled === frameLength) {
        this.port.postMessage(this.frame, [this.frame.buffer]);
        // What was passed on is gone here.
        this.frame = new Int16Array(frameLength);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
