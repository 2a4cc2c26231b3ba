import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";

const ajv = new Ajv2020({ strict: false, validateFormats: false });
const file = join(import.meta.dirname, "../fixtures/openai-schemas.json");
ajv.addSchema(JSON.parse(readFileSync(file, "utf8")) as object);

/** What is wrong with it, by OpenAI's own document; empty: nothing. */
export function faultsOf(schema: string, value: unknown): string {
  const validate = ajv.getSchema(`https://example.com/openai#/components/schemas/${schema}`);
  if (validate === undefined) throw new Error(`there is no schema ${schema}`);
  return validate(value) === true
    ? ""
    : `${JSON.stringify(value)}\n${ajv.errorsText(validate.errors)}`;
}
