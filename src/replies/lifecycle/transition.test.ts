import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { transitionTable } from "./transition.ts";

const root = join(import.meta.dirname, "../../..");

test("only transitions change where a reply stands", () => {
  const files = globSync("src/**/*.ts", { cwd: root }).filter((file) => !file.endsWith(".test.ts"));
  // An UPDATE of messages that sets its status, or an INSERT into it.
  const writes = /UPDATE messages[^`]*?SET[^`]*?\bstatus = (?!c\.)|INSERT INTO messages/;
  const writers = files.filter((file) =>
    writes.test(statements(readFileSync(join(root, file), "utf8"))),
  );
  // What comes in from a file, or was said elsewhere, is over and has never stood anywhere here.
  const others = ["src/sessions/add-messages.ts", "src/transfer/import/store-conversation.ts"];
  const found = writers.filter((file) => !file.startsWith("src/replies/lifecycle/"));
  expect(found.toSorted()).toEqual(others);
  expect(writers.length).toBeGreaterThan(3);
});

/** Without what stands behind WHERE: there a status is only asked for. */
function statements(source: string): string {
  return source.replaceAll(/\bWHERE\b[^`]*`/g, "`");
}

test("docs/architecture.md shows the table of transitions", () => {
  const page = readFileSync(join(root, "docs/architecture.md"), "utf8");
  const rows = [...page.matchAll(/^\| `([a-z ]+)` +\| (.*?) +\| (.*?) +\|/gm)].map(
    ([, name, from, to]) => ({ name, from: statuses(from), to: statuses(to) }),
  );
  const table = Object.entries(transitionTable).map(([name, { from, to }]) => ({
    name,
    from: [...from],
    to: [...to],
  }));
  expect(rows).toEqual(table);
});

function statuses(cell = ""): string[] {
  if (cell === "any end") return ["complete", "cancelled", "interrupted", "failed"];
  if (cell === "any") return [...statuses("queued, streaming, paused"), ...statuses("any end")];
  if (cell === "any end, paused") return [...statuses("any end"), "paused"];
  return cell === "–" ? [] : cell.split(", ");
}
