import type { Setting } from "./setting.ts";
import { settings } from "./settings.ts";

/** One row of the settings table with the names it can be set by. */
export interface KnownSetting {
  /** `section.key`, such as `voice.stt.provider`. */
  readonly path: string;
  readonly section: string;
  /** Key within the section; dots in it are levels of the YAML file. */
  readonly key: string;
  readonly setting: Setting;
  /** Environment names in order of precedence; the first is SECTION_KEY. */
  readonly environment: readonly string[];
}

/** The SECTION_KEY name of a path: `voice.stt.provider` → `VOICE_STT_PROVIDER`. */
export function environmentName(path: string): string {
  return path.replaceAll(".", "_").toUpperCase();
}

/** Every setting in the order of the table. */
export const knownSettings: readonly KnownSetting[] = Object.entries(settings).flatMap(
  ([section, keys]) =>
    Object.entries(keys as Readonly<Record<string, Setting>>).map(([key, setting]) => {
      const path = `${section}.${key}`;
      const environment = [...new Set([environmentName(path), ...(setting.env ?? [])])];
      return { path, section, key, setting, environment };
    }),
);

export const knownByPath: ReadonlyMap<string, KnownSetting> = new Map(
  knownSettings.map((known) => [known.path, known]),
);

export const knownByEnvironmentName: ReadonlyMap<string, KnownSetting> = new Map(
  knownSettings.flatMap((known) => known.environment.map((name) => [name, known] as const)),
);
