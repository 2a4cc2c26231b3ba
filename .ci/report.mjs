// Reads the JSON reports of the test runs.
//   node .ci/report.mjs failed-files REPORT    the files with a failed test, one a line
//   node .ci/report.mjs close DIRECTORY STEPS  what failed or had to be tried again, and the closing line
import { existsSync, readdirSync, readFileSync } from "node:fs";

const [command, path, failedSteps] = process.argv.slice(2);

const read = (file) => JSON.parse(readFileSync(file, "utf8")).testResults;
/** A file that cannot be loaded has failed without a test in it. */
const hasFailed = (file) =>
  file.status === "failed" || file.assertionResults.some((test) => test.status === "failed");

if (command === "failed-files") {
  if (existsSync(path)) for (const file of read(path).filter(hasFailed)) console.log(file.name);
} else {
  const names = readdirSync(path).filter((name) => name.endsWith(".json"));
  // What was run again by itself counts as it came out then; its report sorts behind the first.
  const tests = new Map();
  const told = [];
  for (const name of names.sort()) {
    for (const file of read(`${path}/${name}`)) {
      for (const test of file.assertionResults) {
        const key = `${file.name.split("/").slice(-3).join("/")} > ${test.fullName}`;
        if (tests.get(key) === "failed")
          told.push(`failed beside others, ${test.status} alone: ${key}`);
        else if (test.status === "passed" && test.failureMessages.length > 0)
          told.push(`passed after another attempt: ${key}`);
        if (test.status === "failed")
          told.push(`failed: ${key}\n    ${test.failureMessages[0]?.slice(0, 1500)}`);
        tests.set(key, test.status);
      }
    }
  }
  for (const line of told) console.log(line);
  const count = (status) => [...tests.values()].filter((each) => each === status).length;
  // A step that failed without a failed test (lint, an unloadable file) counts as one.
  console.log(
    `${count("passed")} passed, ${Math.max(count("failed"), Number(failedSteps))} failed`,
  );
}
