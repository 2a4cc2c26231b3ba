import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { knownSettings } from "./known-settings.ts";

const src = join(import.meta.dirname, "..");
const sources = globSync("**/*.ts", { cwd: src })
  .filter((file) => !/\.test\.ts$|^config\/(settings|known-settings)\.ts$/.test(file))
  .map((file) => readFileSync(join(src, file), "utf8"));

const escaped = (name: string) => name.replaceAll(".", "\\.");

/** Names that several sections have in common prove nothing alone: the section must be named too. */
function isRead(section: string, key: string): boolean {
  const ofKey = new RegExp(`\\b${escaped(key)}\\b`);
  // Nested ones, as `stt.provider`, are put together from a direction and the rest.
  const rest = new RegExp(`\\$\\{direction\\}\\.${escaped(key.split(".").slice(1).join("."))}\\b`);
  const ofSection = new RegExp(`\\b${section}\\b`);
  return sources.some(
    (text) => (ofKey.test(text) && ofSection.test(text)) || (key.includes(".") && rest.test(text)),
  );
}

const withoutEffect = /^No effect: /;

test.each(knownSettings.filter(({ setting }) => !withoutEffect.test(setting.description)))(
  "$path is read by somebody",
  ({ section, key }) => {
    expect(isRead(section, key)).toBe(true);
  },
);

test.each(knownSettings.filter(({ setting }) => withoutEffect.test(setting.description)))(
  "$path says that it has no effect, and has none",
  ({ section, key }) => {
    const member = new RegExp(`\\b${section}\\b[^]{0,40}\\b${key}\\b`);
    expect(sources.filter((text) => member.test(text))).toEqual([]);
  },
);
