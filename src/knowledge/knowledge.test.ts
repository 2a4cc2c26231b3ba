import { expect, test } from "vitest";
import type { AgentBackend, Knowledge } from "../agents/agent-backend.ts";
import { Problem } from "../problems/problem.ts";
import { silentLogger } from "../telemetry/logger.ts";
import { createSharedKnowledge } from "./knowledge.ts";

const never = new AbortController().signal;
const file = { name: "a.txt", mediaType: "text/plain", bytes: new Uint8Array([1]) };

/** Has one knowledge, `k.1`, with the documents it is given; `away`: may not be asked at all. */
function source(name: string, documents: string[], state = { away: false, isComplete: true }) {
  const ask = () => {
    if (state.away) throw new Problem("agent_unavailable", { agentId: name });
  };
  const backend: Partial<AgentBackend> = {
    source: name,
    async knowledge() {
      ask();
      const one: Knowledge = {
        id: "k.1",
        name: "Handbook",
        description: null,
        agentIds: ["known", "unknown"],
        documents: documents.map((id) => ({
          id,
          name: id,
          mediaType: null,
          size: null,
          status: "completed",
          updatedAt: null,
        })),
      };
      return { knowledge: [one], isComplete: state.isComplete };
    },
    async addDocument(id, { name: given }) {
      ask();
      if (id !== "k.1") return null;
      documents.push(given);
      return { id: given, status: "processing" };
    },
    async removeDocument(id, document) {
      ask();
      const at = id === "k.1" ? documents.indexOf(document) : -1;
      if (at >= 0) documents.splice(at, 1);
      return at >= 0;
    },
  };
  return { backend: backend as AgentBackend, state, documents };
}

function stage(...backends: AgentBackend[]) {
  return createSharedKnowledge({
    backends: [{ source: "without" } as AgentBackend, ...backends],
    namesOf: (from) => new Map([["known", `${from}:known`]]),
    logger: silentLogger,
  });
}

test("of all sources, under ids and names that callers know", async () => {
  const one = source("one", ["a"]);
  const two = source("two", []);
  const knowledge = stage(one.backend, two.backend);
  const found = await knowledge.list(never);
  expect(found.isComplete).toBe(true);
  expect(
    found.knowledge.map(({ id, agentIds, documents }) => [id, agentIds, documents.length]),
  ).toEqual([
    ["one.k.1", ["one:known"], 1],
    ["two.k.1", ["two:known"], 0],
  ]);
  two.state.away = true;
  expect(await knowledge.list(never)).toMatchObject({ isComplete: false, knowledge: [{}] });
  two.state.away = false;
  one.state.isComplete = false;
  expect(await knowledge.list(never)).toMatchObject({ isComplete: false, knowledge: [{}, {}] });
});

test("a document goes to its source and nowhere else, and away again", async () => {
  const one = source("one", []);
  const two = source("two", ["a.txt"]);
  const knowledge = stage(one.backend, two.backend);
  expect(await knowledge.add("one.k.1", file, never)).toEqual({
    id: "a.txt",
    status: "processing",
  });
  expect([one.documents, two.documents]).toEqual([["a.txt"], ["a.txt"]]);
  await knowledge.remove("one.k.1", "a.txt", never);
  expect([one.documents, two.documents]).toEqual([[], ["a.txt"]]);
  await expect(knowledge.remove("one.k.1", "a.txt", never)).rejects.toMatchObject({
    type: "knowledge_not_found",
  });
  for (const id of ["one.k.2", "without.k.1", "nobody.k.1", "k.1", "one", ""]) {
    await expect(knowledge.add(id, file, never)).rejects.toMatchObject({
      type: "knowledge_not_found",
    });
  }
  two.state.away = true;
  await expect(knowledge.add("two.k.1", file, never)).rejects.toMatchObject({
    type: "agent_unavailable",
  });
});
