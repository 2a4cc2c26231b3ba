import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { describeClientTypes, type ApiDocument } from "../../scripts/client-types.ts";
import {
  awaiting,
  describePythonTypes,
  pythonSource,
  withoutAwait,
} from "../../scripts/python-client.ts";
import { startService } from "../support/start-service.ts";

const types = join(import.meta.dirname, "../../packages/client/src/api-types.ts");

it("the clients' types are those of the OpenAPI document", async () => {
  const service = await startService();
  const document = (await (await fetch(`${service.url}/openapi.json`)).json()) as ApiDocument;
  await service.stop();
  // After the API has changed: node scripts/write-client-types.ts
  expect(await readFile(types, "utf8")).toBe(describeClientTypes(document));
  expect(await readFile(join(pythonSource, "api_types.py"), "utf8")).toBe(
    describePythonTypes(document),
  );
});

it("the Python client that does not await is the one that does", async () => {
  for (const name of awaiting) {
    const source = await readFile(join(pythonSource, "_async", name), "utf8");
    expect(await readFile(join(pythonSource, "_sync", name), "utf8")).toBe(withoutAwait(source));
  }
});
