/** node scripts/write-third-party.ts: writes THIRD-PARTY.md anew, after packages have changed. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeThirdParties } from "./third-party.ts";

writeFileSync(join(import.meta.dirname, "../THIRD-PARTY.md"), describeThirdParties());
