declare module "@echogarden/fvad-wasm" {
  /** The parts of the Emscripten module that are used. */
  export interface FvadModule {
    readonly HEAP16: Int16Array;
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    _fvad_new(): number;
    _fvad_free(instance: number): void;
    /** 0 (takes much for speech) to 3 (is strict); 0 on success. */
    _fvad_set_mode(instance: number, mode: number): number;
    _fvad_set_sample_rate(instance: number, sampleRateHz: number): number;
    /** 1: voice, 0: none, -1: a length that it does not take. */
    _fvad_process(instance: number, frame: number, samples: number): number;
  }
  export default function createFvad(): Promise<FvadModule>;
}
