// Reads what the steps of .ci/run left in its directory: for each NAME.log, what it said; NAME.json, if it ran tests;
// NAME.failed, if it failed and nothing made up for that.
//   node .ci/report.mjs failed-files DIRECTORY/NAME   the files in which something failed, one a line
//   node .ci/report.mjs close DIRECTORY               what failed or had to be tried again, and the closing line;
//                                                     exits with 1 if anything failed
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";

const [command, path] = process.argv.slice(2);

const resultsOf = (file) =>
  existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).testResults : [];
const said = (file) =>
  existsSync(file) ? stripVTControlCharacters(readFileSync(file, "utf8")) : "";
/** A file that cannot be loaded has failed without a test in it. */
const hasFailed = (file) =>
  file.status === "failed" || file.assertionResults.some((test) => test.status === "failed");
/** An error that no test waited for fails a run in which every test passed; it is in no JSON report. */
const filesOfUnhandled = (log) =>
  [...log.matchAll(/This error originated in "([^"]+)" test file/g)].map(([, file]) =>
    resolve(file),
  );
/** What a failed step said of itself last, in as many lines as are read. */
const lastWords = (log) => {
  const unhandled = /^.* Unhandled Errors? .*$/m.exec(log);
  const lines = log.slice(unhandled?.index ?? 0).split("\n");
  return unhandled === null ? lines.slice(-30) : lines.slice(0, 60);
};

const failedFiles = () => [
  ...new Set([
    ...resultsOf(`${path}.json`)
      .filter(hasFailed)
      .map(({ name }) => name),
    ...filesOfUnhandled(said(`${path}.log`)),
  ]),
];

function close() {
  const names = readdirSync(path).toSorted();
  const told = [];
  // What was run again by itself counts as it came out then: of each step, the first report comes first.
  const tests = new Map();
  const reports = names.filter((name) => name.endsWith(".json"));
  const isSecond = (name) => name.endsWith(", then alone.json");
  for (const name of reports.toSorted((one, other) => isSecond(one) - isSecond(other))) {
    for (const file of resultsOf(`${path}/${name}`)) {
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
  for (const second of names.filter((name) => name.endsWith(", then alone.log"))) {
    const first = second.replace(", then alone.log", ".log");
    for (const file of new Set(filesOfUnhandled(said(`${path}/${first}`))))
      told.push(`beside others, an error that no test waited for: ${file}`);
  }
  const steps = names.filter((name) => name.endsWith(".failed")).map((name) => name.slice(0, -7));
  for (const step of steps)
    told.push(`failed: ${step}. Its last words:`, ...lastWords(said(`${path}/${step}.log`)));
  for (const line of told) console.log(line);
  const count = (status) => [...tests.values()].filter((each) => each === status).length;
  // A step that failed without a failed test (lint, an error that no test waited for) counts as one.
  const failed = Math.max(count("failed"), steps.length);
  console.log(`${count("passed")} passed, ${failed} failed`);
  return failed;
}

if (command === "failed-files") for (const file of failedFiles()) console.log(file);
else process.exitCode = close() > 0 ? 1 : 0;
