import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { describeClientTypes, type ApiDocument } from "../../scripts/client-types.ts";
import { startService } from "../support/start-service.ts";

const types = join(import.meta.dirname, "../../packages/client/src/api-types.ts");

it("the client's types are those of the OpenAPI document", async () => {
  const service = await startService();
  const document = (await (await fetch(`${service.url}/openapi.json`)).json()) as ApiDocument;
  await service.stop();
  // After the API has changed: node scripts/write-client-types.ts
  expect(await readFile(types, "utf8")).toBe(describeClientTypes(document));
});
