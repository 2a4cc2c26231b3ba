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
      const texts = files.filter((file) => /\.(html|js|css|svg)$/.test(file));
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
  plugins: [react(), modernFonts(), precompress()],
  build: {
    outDir: output,
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // How long plugins take is nothing that whoever installs the service can act on.
    rolldownOptions: { checks: { pluginTimings: false } },
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
