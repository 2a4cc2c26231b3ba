import type { Decision, Requirement } from "../../packages/client/src/index.ts";
import { painter, printable, type Terminal } from "./terminal.ts";

/** Writes the question and reads one line; null at the end of input. */
export type Ask = (question: string) => Promise<string | null>;

/** Asks a person everything that a paused reply waits for; null when nobody is there any more. */
export async function askDecisions(
  requirements: readonly Requirement[],
  ask: Ask,
  terminal: Terminal,
): Promise<readonly Decision[] | null> {
  const paint = painter(terminal.isColoured);
  const decisions: Decision[] = [];
  for (const { id, kind, tool, arguments: given } of requirements) {
    const what = paint("yellow", printable(`${tool} ${JSON.stringify(given)}`));
    if (kind === "confirm") {
      const answer = await ask(`${what}\nAllow this? [y/N] `);
      if (answer === null) return null;
      decisions.push({ id, approved: /^y(es)?$|^是$/i.test(answer.trim()) });
    } else if (kind === "input") {
      const result: Record<string, string> = {};
      for (const { name, label } of fieldsOf(given)) {
        const answer = await ask(`${what}\n${printable(label)}: `);
        if (answer === null) return null;
        result[name] = answer;
      }
      decisions.push({ id, approved: true, result });
    } else {
      const answer = await ask(`${what}\nWhat is its result? `);
      if (answer === null) return null;
      decisions.push({ id, approved: true, result: answer });
    }
  }
  return decisions;
}

function fieldsOf(given: Readonly<Record<string, unknown>>): { name: string; label: string }[] {
  const fields = Array.isArray(given["fields"]) ? (given["fields"] as unknown[]) : [];
  return fields.flatMap((field) => {
    const { name, description } = (field ?? {}) as { name?: unknown; description?: unknown };
    if (typeof name !== "string") return [];
    const label = typeof description === "string" && description !== "" ? description : name;
    return [{ name, label }];
  });
}
