/**
 * npm run fuzz [requests] [seed]: generated requests against services of its own, each with an empty database for a part of
 * them, so that comparing all that is stored costs the same to the end; ends with 1 when there are faults.
 */
import { fuzzService } from "../test/security/fuzz-service.ts";

const partSize = 10_000;
const [given = "200000", first = String(Date.now() % 1_000_000)] = process.argv.slice(2);
const requests = Number(given);
const startedAtMs = performance.now();
const seconds = () => Math.round((performance.now() - startedAtMs) / 1000);
const statuses: Record<string, number> = {};
let neverSucceeded: readonly string[] | null = null;
let [done, refusedAgain, faults, isAlive] = [0, 0, 0, true];

for (let seed = Number(first); done < requests && isAlive; seed += 1) {
  let told = 0;
  const report = await fuzzService({
    requests: Math.min(partSize, requests - done),
    seed,
    onProgress(doneHere, faultsHere) {
      for (; told < faultsHere.length; told += 1) process.stdout.write(`\n${faultsHere[told]}\n`);
      if (doneHere % 2_500 !== 0) return;
      process.stdout.write(
        `${done + doneHere} requests, ${faults + told} faults, seed ${seed}, ${seconds()} s\n`,
      );
    },
  });
  for (const [status, count] of Object.entries(report.statuses)) {
    statuses[status] = (statuses[status] ?? 0) + count;
  }
  neverSucceeded = report.neverSucceeded.filter((name) => neverSucceeded?.includes(name) ?? true);
  done += report.requests;
  refusedAgain += report.refusedAgain;
  faults += report.faults.length;
  isAlive = report.isAlive;
}
const figures = { requests: done, seed: Number(first), statuses, neverSucceeded, refusedAgain };
process.stdout.write(
  `${JSON.stringify({ ...figures, faults, isAlive, seconds: seconds() }, null, 2)}\n`,
);
process.exit(faults === 0 && isAlive ? 0 : 1);
