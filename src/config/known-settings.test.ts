import { expect, test } from "vitest";
import { knownByEnvironmentName, knownByPath, knownSettings } from "./known-settings.ts";
import { parseValue } from "./parse-value.ts";

test("no two settings share an environment name", () => {
  const names = knownSettings.flatMap((known) => known.environment);
  expect(names.length).toBe(knownByEnvironmentName.size);
});

test("names are section and key, and each further name stands once", () => {
  expect(knownByPath.get("voice.stt.provider")?.environment).toEqual(["VOICE_STT_PROVIDER"]);
  expect(knownByPath.get("service.port")?.environment).toEqual(["SERVICE_PORT", "PORT"]);
  expect(knownByPath.get("service.host")?.environment).toEqual(["SERVICE_HOST", "HOST"]);
});

test("every default is a value that the setting itself would take", () => {
  for (const { path, setting } of knownSettings) {
    if (setting.default === null) continue;
    const raw =
      setting.kind === "list"
        ? ({ type: "items", items: setting.default as string[] } as const)
        : setting.kind === "json"
          ? ({ type: "structure", value: setting.default } as const)
          : ({ type: "text", text: String(setting.default) } as const);
    expect([path, parseValue(setting, raw)]).toEqual([path, { ok: true, value: setting.default }]);
  }
});

test("every setting says what it means", () => {
  expect(knownSettings.filter(({ setting }) => setting.description.trim() === "")).toEqual([]);
});
