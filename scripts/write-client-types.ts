/**
 * The types of packages/client, from the OpenAPI document of this very tree. After the API has changed:
 *
 *     node scripts/write-client-types.ts
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../src/config/load-config.ts";
import { openService } from "../test/support/open-service.ts";
import { describeClientTypes, type ApiDocument } from "./client-types.ts";

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
  await writeFile(
    join(import.meta.dirname, "../packages/client/src/api-types.ts"),
    describeClientTypes(JSON.parse(body) as ApiDocument),
  );
} finally {
  await rm(dataDir, { recursive: true, force: true });
}
