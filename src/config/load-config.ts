import { existsSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { parseArgs } from "node:util";
import { findCrossFaults } from "./cross-rules.ts";
import { readEnvironmentValues } from "./environment-values.ts";
import { readFileText } from "./file-text.ts";
import { parseFileValues } from "./file-values.ts";
import { describeOrigin, type GivenValue, type GivenValues, type Origin } from "./given-value.ts";
import { knownByPath, knownSettings } from "./known-settings.ts";
import { mask, maskValue } from "./mask.ts";
import { parseValue, type RawValue } from "./parse-value.ts";
import type { Setting } from "./setting.ts";
import type { Config } from "./settings.ts";

/** A configuration that holds, and where each value came from. */
export interface LoadedConfig {
  readonly ok: true;
  /** Frozen to its depths. */
  readonly config: Config;
  /** By `section.key`; every setting has one. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** Absolute path of the file that was read; null if there is none. */
  readonly file: string | null;
}

/** A configuration that does not hold: everything that is wrong with it, in sentences without secrets. */
interface RefusedConfig {
  readonly ok: false;
  readonly faults: readonly string[];
  /** Absolute path of the file that was read or looked for; null if there is none. */
  readonly file: string | null;
}

export interface ConfigSources {
  /** Arguments of the process after the script's name; of them only `--config` is looked at. */
  readonly argv?: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** Directory in which `config.yaml` is looked for and relative paths begin. */
  readonly cwd: string;
}

/**
 * Reads the configuration: defaults, over them the file (`--config`, `CHAT_CONFIG`, or `config.yaml` if
 * it exists), over it the environment. Finds all faults at once; throws nothing.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig | RefusedConfig {
  const named = findFile(sources);
  if ("fault" in named) return { ok: false, faults: [named.fault], file: null };
  const file = named.path === null ? null : resolve(sources.cwd, named.path);
  const fromFile = readNamedFile(named, file);
  const fromEnvironment = readEnvironmentValues(sources.environment, sources.cwd);

  const values = new Map<string, unknown>();
  const origins = new Map<string, Origin>();
  const faulty = new Set<string>();
  for (const { path, setting } of knownSettings) {
    values.set(path, structuredClone(setting.default));
    origins.set(path, { source: "default" });
  }
  const valueFaults = [...fromFile.values, ...fromEnvironment.values].flatMap((given) => {
    const setting = knownByPath.get(given.path)?.setting;
    if (setting === undefined) return [];
    const parsed = parseValue(setting, given.raw);
    if (parsed.ok) {
      values.set(given.path, parsed.value);
      origins.set(given.path, given.origin);
      return [];
    }
    faulty.add(given.path);
    return [describeFault(given, setting, parsed.fault)];
  });

  const config = nest(values);
  const faults = [
    ...fromFile.faults,
    ...fromEnvironment.faults,
    ...valueFaults,
    ...findCrossFaults(config, faulty),
  ];
  return faults.length > 0
    ? { ok: false, faults, file }
    : { ok: true, config: deepFreeze(config), origins, file };
}

type NamedFile = { readonly path: string | null; readonly namedBy: string | null };

function findFile({ argv = [], environment, cwd }: ConfigSources): NamedFile | { fault: string } {
  const { values } = parseArgs({
    args: [...argv],
    options: { config: { type: "string" } },
    strict: false,
    allowPositionals: true,
  });
  const option: unknown = values.config;
  if (option !== undefined) {
    return typeof option === "string" && option !== "" && !option.startsWith("-")
      ? { path: option, namedBy: "--config" }
      : {
          fault: "--config: needs the path of a file, as in --config /etc/chat-service/config.yaml",
        };
  }
  const variable = environment["CHAT_CONFIG"] ?? "";
  if (variable !== "") return { path: variable, namedBy: "CHAT_CONFIG" };
  const usual = existsSync(resolve(cwd, "config.yaml")) ? "config.yaml" : null;
  return { path: usual, namedBy: null };
}

function readNamedFile({ path, namedBy }: NamedFile, file: string | null): GivenValues {
  if (path === null || file === null) return { values: [], faults: [] };
  const read = readFileText(file);
  if (read.ok) return parseFileValues(read.text, path);
  const name = isAbsolute(path) ? path : `${path} (${file})`;
  const subject = namedBy === null ? name : `${namedBy}: ${name}`;
  return { values: [], faults: [`${subject} ${read.fault}`] };
}

function describeFault({ path, raw, origin }: GivenValue, setting: Setting, fault: string): string {
  const given = setting.kind === "json" ? "" : `, but is ${showRaw(setting, raw)}`;
  return `${path} (${describeOrigin(origin)}): ${fault}${given}`;
}

/** The value that was given, short and without secrets. */
function showRaw(setting: Setting, raw: RawValue): string {
  switch (raw.type) {
    case "structure":
      return Array.isArray(raw.value) ? "a list" : "a group of keys";
    case "items":
      return shorten(JSON.stringify(maskValue(setting, raw.items)));
    case "text": {
      if (setting.kind === "secret") return `"${mask}" (not shown)`;
      // In a URL that cannot be parsed anything before the last @ may be the password.
      const text = raw.text.replace(/:\/\/.*@/s, `://${mask}@`);
      return shorten(JSON.stringify(maskValue(setting, text)));
    }
  }
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

/** The one place that turns values checked against the table into the type computed from it. */
function nest(values: ReadonlyMap<string, unknown>): Config {
  const config: Record<string, Record<string, unknown>> = {};
  for (const { path, section, key } of knownSettings) {
    (config[section] ??= {})[key] = values.get(path);
  }
  return config as unknown as Config;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
