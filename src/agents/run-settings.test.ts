import { expect, test } from "vitest";
import type { Problem } from "../problems/problem.ts";
import { checkSettings, settingNames, settingsOf } from "./run-settings.ts";

const whole = {
  model: "m",
  temperature: 0,
  instructions: "be brief",
  max_tokens: 5,
  top_p: 0,
  stop: ["a"],
  seed: -1,
  presence_penalty: 0,
  frequency_penalty: 0,
  reasoning_effort: "low",
  response_format: { type: "json_object" },
};

test("a configuration's settings are read by name, and nothing else of it", () => {
  expect(settingsOf({ ...whole, title: "x", mine: 1 })).toEqual({
    model: "m",
    temperature: 0,
    instructions: "be brief",
    maxTokens: 5,
    topP: 0,
    stop: ["a"],
    seed: -1,
    presencePenalty: 0,
    frequencyPenalty: 0,
    reasoningEffort: "low",
    responseFormat: { type: "json_object" },
  });
  expect(settingsOf({ model: 1, temperature: "hot", max_tokens: null, stop: 3 })).toEqual({});
});

const descriptor = {
  agentId: "a",
  name: "A",
  description: "",
  type: "agent",
  model: null,
  tools: [],
  metadata: {},
} as const;

test("terms that an agent cannot keep are refused, each by its path; wishes are not", () => {
  const refused = (given: object, settings?: readonly "seed"[]) => {
    try {
      checkSettings({ ...given }, "/session_config", {
        agentId: "a",
        descriptor,
        backend: { ...(settings && { settings }) },
      });
      return [];
    } catch (error) {
      return (error as Problem).details?.map(({ path }) => path.split("/").at(-1));
    }
  };
  const terms = Object.keys(whole).slice(3);
  expect(refused(whole)).toEqual(terms);
  expect(refused(whole, ["seed"])).toEqual(terms.filter((name) => name !== "seed"));
  expect(refused({ model: "m", temperature: 1, instructions: "x", title: "t" })).toEqual([]);
  expect(refused(Object.fromEntries(terms.map((name) => [name, null])))).toEqual([]);
});

test("what one agent cannot keep of what its backend knows is refused with its reason", () => {
  const refusal = (type: "agent" | "workflow") => {
    try {
      checkSettings({ seed: 3 }, "", {
        agentId: "shop:a",
        descriptor: { ...descriptor, type },
        backend: {
          settings: ["seed"],
          settingFault: (agent, { value }) =>
            agent.type === "agent" && value === 3 ? null : "has no luck",
        },
      });
      return null;
    } catch (error) {
      return (error as Problem).details;
    }
  };
  expect(refusal("agent")).toBeNull();
  expect(refusal("workflow")).toMatchObject([
    { path: "/seed", message: "agent shop:a has no luck" },
  ]);
});

test("what agents can be told is named as callers do", () => {
  expect(settingNames({ settings: ["model", "maxTokens", "responseFormat"] })).toEqual([
    "model",
    "max_tokens",
    "response_format",
  ]);
  expect(settingNames({})).toEqual([]);
});
