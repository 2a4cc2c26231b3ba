/**
 * The types of packages/client and clients/python, from the OpenAPI document of this very tree, and the half of clients/python
 * that is written without `await`. After the API, or `clients/python/src/chat_service/_async`, has changed:
 *
 *     node scripts/write-client-types.ts
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../src/config/load-config.ts";
import { openService } from "../test/support/open-service.ts";
import { describeClientTypes, type ApiDocument } from "./client-types.ts";
import { awaiting, describePythonTypes, pythonSource, withoutAwait } from "./python-client.ts";

const dataDir = await mkdtemp(join(tmpdir(), "chat-types-"));
try {
  const loaded = loadConfig({
    environment: { SERVICE_DATA_DIR: dataDir, LOGGING_LEVEL: "ERROR" },
    cwd: dataDir,
  });
  if (!loaded.ok) throw new Error(loaded.faults.join("\n"));
  const service = await openService(loaded.config);
  const { body } = await service.app.inject({ url: "/openapi.json" });
  await service.close();
  const document = JSON.parse(body) as ApiDocument;
  await writeFile(
    join(import.meta.dirname, "../packages/client/src/api-types.ts"),
    describeClientTypes(document),
  );
  await writeFile(join(pythonSource, "api_types.py"), describePythonTypes(document));
  for (const name of awaiting) {
    const source = await readFile(join(pythonSource, "_async", name), "utf8");
    await writeFile(join(pythonSource, "_sync", name), withoutAwait(source));
  }
} finally {
  await rm(dataDir, { recursive: true, force: true });
}
