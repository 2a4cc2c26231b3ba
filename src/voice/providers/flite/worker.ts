import { readFile } from "node:fs/promises";
import { serveRequests } from "../serve-requests.ts";
import { findFlite, flitePackage } from "./program.ts";
import { runWasiProgram } from "./wasi.ts";

export interface FliteRequest {
  readonly text: string;
  readonly voice: string;
  readonly speed: number;
}

/** Speech of the longest text that is taken, spoken slowly, and then some. */
const maxOutputBytes = 32 * 1024 * 1024;

const program = loadProgram();

async function loadProgram(): Promise<WebAssembly.Module> {
  const file = findFlite();
  if (file === null) throw new Error(`${flitePackage} is not installed`);
  return WebAssembly.compile(await readFile(file));
}

async function speak(request: FliteRequest): Promise<Uint8Array> {
  const stretch = `duration_stretch=${1 / request.speed}`;
  const { exitCode, written, messages } = await runWasiProgram(await program, {
    args: ["flite", "-voice", request.voice, "--setf", stretch, "-f", "text", "-o", "speech"],
    files: new Map([["text", new TextEncoder().encode(request.text)]]),
    maxOutputBytes,
  });
  const speech = written.get("speech");
  if (exitCode !== 0 || !speech) throw new Error(`flite ended with ${exitCode}: ${messages}`);
  // A copy without the room to grow that the file had.
  return speech.slice();
}

serveRequests(speak, (speech) => [speech.buffer as ArrayBuffer]);
