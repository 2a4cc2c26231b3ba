import { environmentName, knownByEnvironmentName, knownSettings } from "./known-settings.ts";
import { nearest } from "./nearest.ts";
import { settings } from "./settings.ts";

/** Names what somebody probably meant who wrote `name` where a section belongs. */
export function suggestForSection(name: string): string {
  const section = nearest(name, Object.keys(settings));
  const home = section.distance > 2 ? homeOf(name) : undefined;
  return `did you mean ${home ?? section.name}?`;
}

/** Names what somebody probably meant who wrote the unknown `path`, whose first part is a section. */
export function suggestForKey(path: string): string {
  const alias = knownByEnvironmentName.get(environmentName(path));
  if (alias !== undefined) return `did you mean ${alias.path}?`;
  const section = path.split(".", 1)[0] ?? "";
  const within = knownSettings.filter((known) => known.section === section);
  const found = nearest(
    path,
    within.map((known) => known.path),
  );
  if (found.distance <= 2) return `did you mean ${found.name}?`;
  const key = path.slice(section.length + 1);
  // A short key such as port says too little about the section that was meant.
  const home = key.includes("_") ? homeOf(key) : undefined;
  if (home !== undefined) return `did you mean ${home}?`;
  const keys = within.map((known) => known.key).join(", ");
  return `did you mean ${found.name}? The keys of ${section} are ${keys}`;
}

/** Where a key with exactly this name lives, if in one section only. */
function homeOf(key: string): string | undefined {
  const homes = knownSettings.filter((known) => known.key === key);
  return homes.length === 1 ? homes[0]?.path : undefined;
}
