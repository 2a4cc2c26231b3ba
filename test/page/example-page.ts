import { readFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { build } from "vite";

const root = join(import.meta.dirname, "../..");
const source = join(root, "packages/client/src");
const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
};

/** examples/react-page as a browser gets it, with a service below /api. */
export async function startExamplePage(outDir: string, apiUrl: string) {
  await build({
    root: join(root, "examples/react-page"),
    configFile: false,
    logLevel: "warn",
    resolve: {
      alias: [
        { find: /^chat-service-client\/react$/, replacement: join(source, "react.ts") },
        { find: /^chat-service-client$/, replacement: join(source, "index.ts") },
      ],
    },
    build: { outDir, emptyOutDir: true, minify: false },
  });
  const server = createServer((browser, answer) => {
    const { pathname } = new URL(browser.url ?? "", "http://page");
    if (pathname.startsWith("/api/")) {
      const { method, headers } = browser;
      const passed = request(apiUrl + (browser.url ?? ""), { method, headers, agent: false });
      const reset = () => answer.socket?.destroy();
      passed.on("error", reset).on("response", (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        // Behind what has come, which a reset would take along.
        response.on("error", () => setTimeout(reset, 20)).pipe(answer);
      });
      answer.on("close", () => passed.destroy());
      browser.pipe(passed);
      return;
    }
    const file = normalize(pathname === "/" ? "/index.html" : pathname);
    readFile(join(outDir, file)).then(
      (content) => {
        const type = types[extname(file)] ?? "application/octet-stream";
        answer.writeHead(200, { "content-type": type }).end(content);
      },
      () => answer.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
