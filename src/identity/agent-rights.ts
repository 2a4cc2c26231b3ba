/**
 * Whom a credential lets its caller talk to, from the names of what it grants: `agents:<id>:run`, where `*` in the id stands
 * for anything. Undefined: every agent, because it says nothing about agents. Other rights beginning with `agents:` open none.
 */
export function agentRights(names: readonly string[]): readonly string[] | undefined {
  const about = names.filter((name) => name.startsWith("agents:"));
  if (about.length === 0) return undefined;
  return about.flatMap((name) => /^agents:(.+):run$/.exec(name)?.[1] ?? []);
}

/** Whether `agents:<id>:run` of a key is written as it must be. */
export function isAgentRight(name: string): boolean {
  return /^agents:[^\s/\p{Cc}]{1,200}:run$/u.test(name);
}

export function grantsAgent(rights: readonly string[], agentId: string): boolean {
  return rights.some((right) => fits(right.split("*"), agentId));
}

/** Linear: whoever writes the right may write many stars. */
function fits([first = "", ...rest]: readonly string[], agentId: string): boolean {
  const last = rest.pop();
  if (last === undefined) return agentId === first;
  if (!agentId.startsWith(first)) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = agentId.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return agentId.length - last.length >= at && agentId.endsWith(last);
}
