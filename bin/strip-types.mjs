// Node reads TypeScript everywhere but below node_modules, where this package lies once it is installed as one. Loaded
// with --import, which worker threads and child processes inherit.
import "./compile-cache.mjs";
import { readFileSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";

const own = ["../src/", "../packages/client/src/"].map(
  (path) => new URL(path, import.meta.url).href,
);

registerHooks({
  load(url, context, nextLoad) {
    const isOwn = url.endsWith(".ts") && own.some((folder) => url.startsWith(folder));
    if (!isOwn) return nextLoad(url, context);
    const source = stripTypeScriptTypes(readFileSync(fileURLToPath(url), "utf8"));
    return { format: "module", source, shortCircuit: true };
  },
});
