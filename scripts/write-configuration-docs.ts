/** Writes `config.example.yaml` and `docs/configuration.md` from the settings table. Run it after changing the table. */
import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { configurationReference, exampleConfig } from "./configuration-docs.ts";

const root = resolve(import.meta.dirname, "..");
mkdirSync(resolve(root, "docs"), { recursive: true });
writeFileSync(resolve(root, "config.example.yaml"), exampleConfig());
writeFileSync(resolve(root, "docs/configuration.md"), configurationReference());
