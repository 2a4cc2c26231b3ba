#!/usr/bin/env node
// Runs the service with a Node that can: this one if it is new enough, else the one that npm has installed beside it.
// Plain JavaScript for old versions, which cannot read the service's own files, and for the cache of what is read.
import "./compile-cache.mjs";
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const oldest = 24;
const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const isNewEnough = Number(process.versions.node.split(".")[0]) >= oldest;
const isPackage = /[\\/]node_modules[\\/]/.test(main);

if (isNewEnough && !isPackage) {
  await import(new URL("../src/main.ts", import.meta.url).href);
} else {
  const node = isNewEnough ? process.execPath : installedNode();
  if (node === null) {
    process.stderr.write(
      `chat-service needs Node ${oldest} or newer; this is ${process.version}.\n` +
        "Install a newer one, or the package node@24 beside chat-service: npm install node@24\n",
    );
    process.exit(1);
  }
  const options = ["--max-semi-space-size=16", "--no-parallel-scavenge"];
  if (isPackage) {
    options.push(
      "--disable-warning=ExperimentalWarning",
      "--import",
      new URL("strip-types.mjs", import.meta.url).href,
    );
  }
  // Files of a package come in by way of the loader; others by way of this file, run by a Node that can.
  const entry = isPackage ? main : fileURLToPath(import.meta.url);
  const child = spawn(node, [...options, entry, ...process.argv.slice(2)], { stdio: "inherit" });
  // What is meant for the service must reach it; this process lives as long as the service does.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2"]) {
    process.on(signal, () => {
      // A terminal tells the whole group; twice would mean: leave at once.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on("exit", (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
}

/** The executable of the npm package `node`, or null. */
function installedNode() {
  try {
    const require = createRequire(import.meta.url);
    return fileURLToPath(new URL("bin/node", `file://${require.resolve("node/package.json")}`));
  } catch {
    return null;
  }
}
