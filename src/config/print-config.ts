import { describeOrigin, type Origin } from "./given-value.ts";
import { knownSettings } from "./known-settings.ts";
import type { LoadedConfig } from "./load-config.ts";
import { maskValue } from "./mask.ts";
import { yamlLines, yamlValue } from "./yaml-lines.ts";

/** One setting as it may be shown to anybody who may see the configuration. */
interface ShownSetting {
  /** `section.key`. */
  readonly path: string;
  /** The effective value, with secrets masked; null if unset. */
  readonly value: unknown;
  readonly origin: Origin;
}

/** Every setting with its effective value and where it came from, secrets masked; fit for JSON. */
export function showConfig({ config, origins }: LoadedConfig): readonly ShownSetting[] {
  return knownSettings.map(({ path, section, key, setting }) => {
    const values: Readonly<Record<string, Readonly<Record<string, unknown>>>> = config;
    const value = maskValue(setting, values[section]?.[key]);
    return { path, value, origin: origins.get(path) ?? { source: "default" } };
  });
}

/** The same as a page of YAML for people, with the origins in comments; ends with a line feed. */
export function printConfig(loaded: LoadedConfig): string {
  const shown = new Map(showConfig(loaded).map((one) => [one.path, one]));
  const rows = knownSettings.map(({ path, section, key, setting }) => {
    const one = shown.get(path);
    const value = yamlValue(setting, one?.value);
    return { section, key, value, behind: describeOrigin(one?.origin ?? { source: "default" }) };
  });
  const file = loaded.file === null ? "no configuration file" : loaded.file;
  return [
    `# Effective configuration: ${file}, environment on top`,
    "",
    ...yamlLines(rows),
    "",
  ].join("\n");
}
