import { existsSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";
import { describe } from "vitest";
import { missingBackend } from "../support/backends.ts";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const program = process.env["CHROMIUM"] ?? places.find(existsSync) ?? missing();

function missing(): null {
  return missingBackend("chromium", "install Debian's package chromium, or name one in CHROMIUM");
}

/** `describe` for tests in a real browser; skipped, loudly, where there is none. */
export const describeInBrowser = describe.skipIf(program === null);

export function startBrowser(more: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: program ?? "",
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...more,
    ],
  });
}
