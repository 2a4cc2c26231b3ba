declare module "@evan/opus/wasm/index.mjs" {
  export class Encoder {
    constructor(options: { channels: 1 | 2; sample_rate: number; application: "voip" | "audio" });
    /** One packet from one frame of 16-bit samples. */
    encode(samples: Int16Array): Uint8Array;
    /** `opus_encoder_ctl` with the numbers of libopus. */
    ctl(request: number, value: number): number;
    /** Frees it. */
    drop(): void;
  }
}
