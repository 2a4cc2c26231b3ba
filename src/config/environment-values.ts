import { resolve } from "node:path";
import { readFileText } from "./file-text.ts";
import { nearest } from "./nearest.ts";
import type { GivenValue, GivenValues } from "./given-value.ts";
import { isPlaceholder } from "./placeholder.ts";
import { knownByEnvironmentName, knownSettings } from "./known-settings.ts";
import { settings } from "./settings.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const prefixes = Object.keys(settings).map((section) => `${section.toUpperCase()}_`);

/**
 * What the environment says. Empty variables count as unset, and so do addresses that Kubernetes
 * and Docker put where a port is expected (`SERVICE_PORT=tcp://10.0.0.1:80` for a Service named "service").
 *
 * Any name may end in `_FILE`: its value is then the text of a file, as Docker and Kubernetes hand out secrets.
 *
 * The environment also holds variables of others, so an unknown one is a fault only if it is
 * very probably one of ours misspelt; `misspelt` has the rule.
 */
export function readEnvironmentValues(environment: Environment, cwd = "."): GivenValues {
  const values: GivenValue[] = [];
  const faults: string[] = [];
  for (const { path, setting, environment: names } of knownSettings) {
    const isSet = (name: string) => {
      const text = environment[name] ?? "";
      return text !== "" && !(setting.kind === "integer" && isServiceLink(text));
    };
    const name = names.find((name) => isSet(name) || isSet(fileNameOf(name)));
    if (name === undefined) continue;
    const fileName = fileNameOf(name);
    if (!isSet(fileName)) {
      const raw = { type: "text", text: environment[name] ?? "" } as const;
      if (isPlaceholder(raw.text)) faults.push(`${name} (environment): ${placeholderFault}`);
      else values.push({ path, raw, origin: { source: "environment", name } });
    } else if (isSet(name)) {
      faults.push(`${fileName} (environment): ${name} is set too; which of them is meant?`);
    } else {
      const file = environment[fileName] ?? "";
      const read = readFileText(resolve(cwd, file));
      if (!read.ok) faults.push(`${fileName} (environment): ${file} ${read.fault}`);
      else if (read.text.trim() === "") faults.push(`${fileName} (environment): ${file} is empty`);
      else {
        // Editors and `echo` end a file with a line feed.
        const raw = { type: "text", text: read.text.replace(/[\r\n]+$/, "") } as const;
        if (isPlaceholder(raw.text)) faults.push(`${fileName} (environment): ${placeholderFault}`);
        else values.push({ path, raw, origin: { source: "environment", name: fileName } });
      }
    }
  }
  for (const [name, text = ""] of Object.entries(environment)) {
    const meant = text === "" ? null : misspelt(name, environment);
    if (meant === null) continue;
    faults.push(
      `${name} (environment): is not a known name; did you mean ${meant}? If it belongs to another program, set ${meant} too, empty if need be`,
    );
  }
  return { values, faults };
}

const placeholderFault =
  "holds a variable such as ${…} that nobody has put a value in the place of";

function fileNameOf(name: string): string {
  return `${name}_FILE`;
}

/**
 * The known name that an unknown one is meant to be, or null. It is taken for a slip of the pen if that name is not in
 * the environment itself, not even empty, and either it begins with the name of a section and differs in one letter
 * (two, if the key has eight or more) or only in the unit at the end; or it differs in one letter from a long name.
 */
function misspelt(name: string, environment: Environment): string | null {
  if (isKnown(name)) return null;
  const prefix = prefixes.find((prefix) => name.startsWith(prefix)) ?? "";
  const candidates = allNames.filter((known) =>
    prefix === "" ? known.length >= longName : known.startsWith(prefix),
  );
  const sameButUnit =
    prefix === ""
      ? undefined
      : candidates.find((known) => withoutUnit(known) === withoutUnit(name));
  const found =
    sameButUnit === undefined ? nearest(name, candidates) : { name: sameButUnit, distance: 0 };
  if (environment[found.name] !== undefined) return null;
  const tolerance = prefix === "" || found.name.length - prefix.length < 8 ? 1 : 2;
  return found.distance <= tolerance ? found.name : null;
}

const allNames = [...knownByEnvironmentName.keys()].flatMap((name) => [name, fileNameOf(name)]);
/** Nobody else's names are as near to one of these by chance. */
const longName = 9;

function isKnown(name: string): boolean {
  return knownByEnvironmentName.has(name) || knownByEnvironmentName.has(name.replace(/_FILE$/, ""));
}

function isServiceLink(text: string): boolean {
  return /^(tcp|udp|sctp):\/\//.test(text);
}

function withoutUnit(name: string): string {
  return name.replace(/_(MS|MILLISECONDS|S|SEC|SECS|SECONDS|MINUTES|HOURS|DAYS|BYTES)$/, "");
}
