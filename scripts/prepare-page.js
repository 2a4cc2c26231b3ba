// Builds the chat page when the service is installed (npm's `prepare`). Plain JavaScript: it must run on whatever Node
// runs npm. The service works without the page, so nothing here fails an installation.
import { join } from "node:path";

const missing =
  "The chat page was not built; GET / says so, the API works. Remedy: npm run build:page";

let build;
try {
  ({ build } = await import("vite"));
} catch {
  console.log(`Without development dependencies there is no Vite. ${missing}`);
}
if (build !== undefined) {
  try {
    await build({ root: join(import.meta.dirname, "../web"), logLevel: "warn" });
  } catch (error) {
    console.error(error);
    console.error(missing);
  }
}
