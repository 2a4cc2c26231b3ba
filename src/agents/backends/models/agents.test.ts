import { describe, expect, test } from "vitest";
import { localized, resolveAgents } from "./agents.ts";

describe("the agents there are", () => {
  test("are the three default ones, in both languages", () => {
    const agents = [...resolveAgents([], true).values()];
    expect(
      agents.map((agent) => [agent.id, localized(agent.name, "zh"), agent.temperature]),
    ).toEqual([
      ["general-chat", "通用聊天助手", 0.7],
      ["analyst", "专业分析师", 0.3],
      ["creative", "创意助手", 0.9],
    ]);
    for (const { name, description, instructions } of agents) {
      for (const text of [name, description, instructions]) {
        expect(localized(text, "en")).toMatch(/[a-z]/);
        expect(localized(text, "zh")).toMatch(/\p{Script=Han}/u);
      }
    }
  });

  test("can be replaced, filled in from the default of the same id, and extended", () => {
    const agents = resolveAgents(
      [
        { id: "analyst", name: "Ana", handoffs: ["maths"] },
        { id: "maths", name: "Maths", temperature: 0, tools: ["calculator"], model: "m" },
      ],
      true,
    );
    expect([...agents.keys()]).toEqual(["general-chat", "analyst", "creative", "maths"]);
    expect(agents.get("analyst")).toMatchObject({
      name: "Ana",
      temperature: 0.3,
      handoffs: ["maths"],
    });
    expect(localized(agents.get("analyst")?.instructions ?? "", "en")).toMatch(/analyst/);
    expect(agents.get("maths")).toMatchObject({ temperature: 0, model: "m", instructions: "" });
  });

  test("can do without the default ones", () => {
    expect([...resolveAgents([{ id: "one", name: "One" }], false).keys()]).toEqual(["one"]);
  });

  test("every mistake is named at once", () => {
    expect(() =>
      resolveAgents(
        [
          { id: "a", name: "A", tools: ["shell"], handoffs: ["a", "nobody"] },
          { id: "a", name: "A" },
          { id: "b", name: "B", tools: ["fetch"] },
          { id: "c", name: "C", handoffs: ["c"] },
        ],
        false,
      ),
    ).toThrow(
      new Error(
        "models.agents: a is there twice; b names the unknown tool fetch; known: current_time, calculator; c hands over to itself",
      ),
    );
    expect(() => resolveAgents([{ id: "a", name: "A", handoffs: ["nobody"] }], false)).toThrow(
      /a hands over to nobody, which does not exist; there are a/,
    );
  });
});
