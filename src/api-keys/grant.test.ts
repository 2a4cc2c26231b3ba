import fc from "fast-check";
import { expect, test } from "vitest";
import { agentRights, grantsAgent } from "../identity/agent-rights.ts";
import { actions, type Action, type Identity } from "../identity/identity.ts";
import { exceededBy } from "./grant.ts";

const makerOf = (more: Partial<Identity>): Identity => ({
  userId: "root",
  roles: ["admin"],
  kind: "api_key",
  ...more,
});

test.each<[string, Partial<Identity>, string[] | null, string[], string | null]>([
  ["who may do everything", {}, null, ["admin"], null],
  ["everything, by who may do some", { scopes: ["send_message"] }, null, [], "scopes"],
  ["the same", { scopes: ["send_message"] }, ["send_message"], [], null],
  [
    "one that he has and one that he has not",
    { scopes: ["send_message"] },
    ["send_message", "manage_sessions"],
    [],
    "scopes",
  ],
  [
    "agents alone, which leaves actions open",
    { scopes: ["send_message"] },
    ["agents:a:run"],
    [],
    "scopes",
  ],
  ["nothing at all", { scopes: ["send_message"] }, [], [], null],
  ["all agents, by who sees some", { agents: ["a"] }, ["send_message"], [], "scopes"],
  [
    "an agent that he sees and one that he does not",
    { agents: ["a"] },
    ["agents:a:run", "agents:b:run"],
    [],
    "scopes",
  ],
  ["some of his agents", { agents: ["a*"] }, ["agents:ab*:run"], [], null],
  ["more than his agents", { agents: ["ab*"] }, ["agents:a*:run"], [], "scopes"],
  ["a role that he has not", { roles: ["staff"] }, null, ["admin"], "roles"],
  ["a role that is no administrator's", { roles: ["staff"] }, null, ["staff"], null],
])("a key for %s", (_of, maker, scopes, roles, exceeded) => {
  expect(exceededBy({ scopes, roles }, makerOf(maker))).toBe(exceeded);
});

test("no key may do what its maker may not", () => {
  const right = fc.array(fc.constantFrom("a", "b", "*"), { minLength: 1, maxLength: 4 });
  const rights = fc
    .array(right, { minLength: 1, maxLength: 2 })
    .map((each) => each.map((one) => one.join("")));
  const some = fc.subarray<Action>([...actions]);
  fc.assert(
    fc.property(
      fc.option(some, { nil: undefined }),
      fc.option(rights, { nil: undefined }),
      some,
      fc.option(rights, { nil: [] }),
      fc.array(fc.constantFrom("a", "b"), { maxLength: 6 }).map((letters) => letters.join("")),
      (own, ownAgents, wanted, agents, agentId) => {
        const maker = makerOf({
          ...(own && { scopes: own }),
          ...(ownAgents && { agents: ownAgents }),
        });
        const scopes = [...wanted, ...agents.map((each) => `agents:${each}:run`)];
        if (exceededBy({ scopes, roles: [] }, maker) !== null) return;
        const may = wanted.length > 0 || agents.length === 0 ? wanted : actions;
        if (own !== undefined) for (const action of may) expect(own).toContain(action);
        const reached = agentRights(scopes);
        if (ownAgents === undefined) return;
        expect(reached).toBeDefined();
        if (grantsAgent(reached ?? [], agentId)) expect(grantsAgent(ownAgents, agentId)).toBe(true);
      },
    ),
    { numRuns: 2_000 },
  );
});
