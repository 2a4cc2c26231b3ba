import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin, type UserConfig } from "vite";

const output = join(import.meta.dirname, "dist");

/** Every text file beside itself in Brotli and gzip, so that the service need not compress while it serves. */
function precompress(): Plugin {
  const brotli = promisify(brotliCompress);
  const zip = promisify(gzip);
  return {
    name: "precompress",
    apply: "build",
    async closeBundle() {
      const files = await readdir(output, { recursive: true });
      const texts = files.filter((file) => /\.(html|js|css|svg|webmanifest)$/.test(file));
      await Promise.all(
        texts.map(async (file) => {
          const path = join(output, file);
          const content = await readFile(path);
          const params = { [constants.BROTLI_PARAM_QUALITY]: 9 };
          await writeFile(`${path}.br`, await brotli(content, { params }));
          await writeFile(`${path}.gz`, await zip(content, { level: 9 }));
        }),
      );
    },
  };
}

/** Every browser that runs this page reads woff2: KaTeX's older font files would only be ballast. */
function modernFonts(): Plugin {
  return {
    name: "modern-fonts",
    enforce: "pre",
    transform(code, id) {
      if (!id.includes("katex") || !id.endsWith(".css")) return null;
      return code.replaceAll(/,\s*url\([^)]*\.(woff|ttf)\)\s*format\("[^"]*"\)/g, "");
    },
  };
}

const icons = [
  { name: "icon-192", sizes: "192x192", purpose: "any" },
  { name: "icon-512", sizes: "512x512", purpose: "any" },
  { name: "maskable-512", sizes: "512x512", purpose: "maskable" },
] as const;

/** Beside the page what makes it one that can be installed: manifest, icons, and the list of files that open it offline. */
function installable(): Plugin {
  const source = join(import.meta.dirname, "src");
  return {
    name: "installable",
    apply: "build",
    enforce: "post",
    async buildStart() {
      const emit = async (name: string) =>
        this.emitFile({
          type: "asset",
          name: `${name}.png`,
          source: await readFile(join(source, "icons", `${name}.png`)),
        });
      for (const { name } of icons) references.set(name, await emit(name));
      references.set("apple", await emit("apple-touch-180"));
    },
    generateBundle(_options, bundle) {
      const nameOf = (name: string) => this.getFileName(references.get(name) ?? "");
      const manifest = {
        name: "Chat Service",
        short_name: "Chat",
        // Relative to the manifest, below any prefix.
        id: "../",
        start_url: "../",
        scope: "../",
        display: "standalone",
        background_color: "#fdfdfc",
        theme_color: "#f5f5f2",
        icons: icons.map(({ name, sizes, purpose }) => ({
          src: `../${nameOf(name)}`,
          type: "image/png",
          sizes,
          purpose,
        })),
      };
      const reference = this.emitFile({
        type: "asset",
        name: "manifest.webmanifest",
        source: JSON.stringify(manifest),
      });
      const page = bundle["index.html"];
      if (page?.type === "asset") {
        page.source = String(page.source)
          .replace("%MANIFEST%", `./${this.getFileName(reference)}`)
          .replace("%APPLE_ICON%", `./${nameOf("apple")}`);
      }
      const worker = bundle[workerName];
      if (worker?.type !== "chunk") throw new Error("no service worker");
      // What is only sometimes needed, and large, is left to the network: formulas, colours of code, charts.
      const files = Object.keys(bundle)
        .filter((file) => /\.(js|css|svg)$/.test(file) && file !== workerName && !isLarge(file))
        .sort();
      const version = createHash("sha256")
        .update(
          JSON.stringify([files, page?.type === "asset" ? String(page.source) : "", worker.code]),
        )
        .digest("hex")
        .slice(0, 16);
      worker.code = worker.code
        .replace(/["'`]%SHELL%["'`]/, () => JSON.stringify(JSON.stringify(files)))
        .replace("%VERSION%", `shell-${version}`);
    },
  };
}

const references = new Map<string, string>();
const workerName = "assets/service-worker.js";
const isLarge = (file: string) => /(draw-formula|highlight|chart)-/.test(file);

const config: UserConfig = {
  root: import.meta.dirname,
  // Addresses relative to the page: it may be served below any prefix.
  base: "./",
  resolve: {
    alias: {
      // For browsers it would set innerHTML, which the page's policy forbids.
      "decode-named-character-reference": join(
        import.meta.dirname,
        "../node_modules/decode-named-character-reference/index.js",
      ),
    },
  },
  plugins: [react(), modernFonts(), installable(), precompress()],
  build: {
    outDir: output,
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // How long plugins take is nothing that whoever installs the service can act on.
    rolldownOptions: {
      checks: { pluginTimings: false },
      input: {
        index: join(import.meta.dirname, "index.html"),
        "service-worker": join(import.meta.dirname, "src/offline/service-worker.ts"),
      },
      output: {
        // Browsers look for a new version of it under its old name.
        entryFileNames: ({ name }) =>
          name === "service-worker" ? workerName : "assets/[name]-[hash].js",
      },
    },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 800,
  },
  // `npx vite web` beside a running service, to work on the page.
  server: {
    proxy: Object.fromEntries(
      ["/chat", "/sessions", "/health"].map((path) => [path, "http://127.0.0.1:8001"]),
    ),
  },
};

export default defineConfig(({ command }) => {
  // Whatever the environment says: what is built is for production, and half as large.
  if (command === "build") process.env["NODE_ENV"] = "production";
  return config;
});
