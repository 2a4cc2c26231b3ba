/** npm run fuzz [requests] [seed]: generated requests against a service of its own; ends with 1 when there are faults. */
import { fuzzService } from "../test/security/fuzz-service.ts";

const [requests = "200000", seed = String(Date.now() % 1_000_000)] = process.argv.slice(2);
const startedAtMs = performance.now();
let told = 0;
const report = await fuzzService({
  requests: Number(requests),
  seed: Number(seed),
  onProgress(done, faults) {
    for (; told < faults.length; told += 1) process.stdout.write(`\n${faults[told]}\n`);
    if (done % 5_000 === 0) process.stdout.write(`${done} requests, ${faults.length} faults\n`);
  },
});
const seconds = Math.round((performance.now() - startedAtMs) / 1000);
const { faults, ...figures } = report;
process.stdout.write(
  `${JSON.stringify({ ...figures, seconds, faults: faults.length }, null, 2)}\n`,
);
process.exit(faults.length === 0 && report.isAlive ? 0 : 1);
