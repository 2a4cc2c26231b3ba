/** Results of WASI calls, by their names in the specification. */
const success = 0;
const badf = 8;
const inval = 28;
const noent = 44;

const ioVectorBytes = 8;
/** File descriptor of the only directory. */
const rootDescriptor = 3;

interface OpenFile {
  readonly name: string;
  position: number;
}

/** The program asked to end. */
class ProgramExit extends Error {
  override readonly name = "ProgramExit";
  readonly code: number;

  constructor(code: number) {
    super(`the program ended with ${code}`);
    this.code = code;
  }
}

export interface ProgramRun {
  readonly args: readonly string[];
  /** Files that it finds, by name. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Of everything it writes. */
  readonly maxOutputBytes: number;
}

export interface ProgramResult {
  readonly exitCode: number;
  /** Files that it wrote, by name. */
  readonly written: ReadonlyMap<string, Uint8Array>;
  /** What it said on standard error and standard output, the first 4 KiB. */
  readonly messages: string;
}

/**
 * Runs a command-line program compiled to WASI with its files in memory: the thirteen calls that flite imports, so that
 * no temporary file is written and nothing of the machine is within its reach.
 */
export async function runWasiProgram(
  module: WebAssembly.Module,
  run: ProgramRun,
): Promise<ProgramResult> {
  const written = new Map<string, Uint8Array>();
  const lengths = new Map<string, number>();
  const descriptors = new Map<number, OpenFile>();
  const encodedArgs = run.args.map((arg) => new TextEncoder().encode(`${arg}\0`));
  let nextDescriptor = rootDescriptor + 1;
  let messages = "";
  let total = 0;
  let memory = new WebAssembly.Memory({ initial: 0 });

  const view = () => new DataView(memory.buffer);
  const bytesAt = (pointer: number, length: number) =>
    new Uint8Array(memory.buffer, pointer, length);

  function* vectors(pointer: number, count: number): Generator<Uint8Array> {
    for (let index = 0; index < count; index++) {
      const at = pointer + index * ioVectorBytes;
      yield bytesAt(view().getUint32(at, true), view().getUint32(at + 4, true));
    }
  }

  function contentOf(name: string): Uint8Array {
    return (
      written.get(name)?.subarray(0, lengths.get(name)) ?? run.files.get(name) ?? new Uint8Array()
    );
  }

  function write(file: OpenFile, bytes: Uint8Array): void {
    const end = file.position + bytes.length;
    total += bytes.length;
    if (total > run.maxOutputBytes) throw new Error("the program wrote more than it may");
    let content = written.get(file.name) ?? new Uint8Array();
    if (end > content.length) {
      const larger = new Uint8Array(Math.max(end, content.length * 2, 65_536));
      larger.set(content);
      content = larger;
    }
    content.set(bytes, file.position);
    file.position = end;
    written.set(file.name, content);
    lengths.set(file.name, Math.max(lengths.get(file.name) ?? 0, end));
  }

  const imports = {
    args_sizes_get(countPointer: number, sizePointer: number) {
      view().setUint32(countPointer, encodedArgs.length, true);
      const size = encodedArgs.reduce((sum, arg) => sum + arg.length, 0);
      view().setUint32(sizePointer, size, true);
      return success;
    },
    args_get(pointers: number, buffer: number) {
      let at = buffer;
      for (const [index, arg] of encodedArgs.entries()) {
        view().setUint32(pointers + index * 4, at, true);
        bytesAt(at, arg.length).set(arg);
        at += arg.length;
      }
      return success;
    },
    clock_time_get(_clock: number, _precision: bigint, pointer: number) {
      view().setBigUint64(pointer, BigInt(Date.now()) * 1_000_000n, true);
      return success;
    },
    fd_close(descriptor: number) {
      return descriptors.delete(descriptor) || descriptor <= rootDescriptor ? success : badf;
    },
    fd_fdstat_get(descriptor: number, pointer: number) {
      const fileType = descriptor < rootDescriptor ? 2 : descriptor === rootDescriptor ? 3 : 4;
      bytesAt(pointer, 24).fill(0);
      view().setUint8(pointer, fileType);
      // Every right: nothing here is worth withholding.
      view().setBigUint64(pointer + 8, 0xffff_ffff_ffff_ffffn, true);
      view().setBigUint64(pointer + 16, 0xffff_ffff_ffff_ffffn, true);
      return success;
    },
    fd_fdstat_set_flags: () => success,
    fd_prestat_get(descriptor: number, pointer: number) {
      if (descriptor !== rootDescriptor) return badf;
      view().setUint32(pointer, 0, true);
      view().setUint32(pointer + 4, 1, true);
      return success;
    },
    fd_prestat_dir_name(descriptor: number, pointer: number, length: number) {
      if (descriptor !== rootDescriptor || length < 1) return badf;
      bytesAt(pointer, 1).set(new TextEncoder().encode("/"));
      return success;
    },
    path_open(
      _directory: number,
      _lookup: number,
      pathPointer: number,
      pathLength: number,
      openFlags: number,
      _rights: bigint,
      _inherited: bigint,
      _flags: number,
      descriptorPointer: number,
    ) {
      const name = new TextDecoder().decode(bytesAt(pathPointer, pathLength)).replace(/^\/+/, "");
      const create = (openFlags & 1) !== 0;
      if (!create && !run.files.has(name) && !written.has(name)) return noent;
      if ((openFlags & 8) !== 0) {
        written.set(name, new Uint8Array());
        lengths.set(name, 0);
      }
      const descriptor = nextDescriptor++;
      descriptors.set(descriptor, { name, position: 0 });
      view().setUint32(descriptorPointer, descriptor, true);
      return success;
    },
    fd_read(descriptor: number, pointer: number, count: number, readPointer: number) {
      const file = descriptors.get(descriptor);
      // Standard input is empty.
      if (!file && descriptor !== 0) return badf;
      let read = 0;
      for (const target of file ? vectors(pointer, count) : []) {
        if (!file) break;
        const source = contentOf(file.name).subarray(file.position, file.position + target.length);
        target.set(source);
        file.position += source.length;
        read += source.length;
      }
      view().setUint32(readPointer, read, true);
      return success;
    },
    fd_write(descriptor: number, pointer: number, count: number, writtenPointer: number) {
      const file = descriptors.get(descriptor);
      if (!file && descriptor !== 1 && descriptor !== 2) return badf;
      let size = 0;
      for (const source of vectors(pointer, count)) {
        size += source.length;
        if (file) write(file, source);
        else if (messages.length < 4096) messages += new TextDecoder().decode(source);
      }
      view().setUint32(writtenPointer, size, true);
      return success;
    },
    fd_seek(descriptor: number, offset: bigint, whence: number, resultPointer: number) {
      const file = descriptors.get(descriptor);
      if (!file) return badf;
      const bases = [0, file.position, contentOf(file.name).length];
      const position = (bases[whence] ?? 0) + Number(offset);
      if (position < 0 || position > run.maxOutputBytes) return inval;
      file.position = position;
      view().setBigUint64(resultPointer, BigInt(position), true);
      return success;
    },
    proc_exit(code: number) {
      throw new ProgramExit(code);
    },
  };

  const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: imports });
  const { memory: exported, _start: start } = instance.exports;
  if (!(exported instanceof WebAssembly.Memory) || typeof start !== "function") {
    throw new Error("this is no WASI program");
  }
  memory = exported;
  let exitCode = 0;
  try {
    start();
  } catch (error) {
    if (!(error instanceof ProgramExit)) throw error;
    exitCode = error.code;
  }
  const results = Array.from(written.keys(), (name): [string, Uint8Array] => [
    name,
    contentOf(name),
  ]);
  return { exitCode, written: new Map(results), messages };
}
