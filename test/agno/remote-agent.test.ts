import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { scripts } from "../support/acted-scripts.ts";
import { startActedService, type ActedService } from "../support/acted-service.ts";
import { forEachAgno } from "./for-each-agno.ts";

let acted: ActedService;
beforeAll(async () => {
  acted = await startActedService(scripts);
});
afterAll(() => acted.close());

forEachAgno((version, python) => {
  it(`of ${version} asks an agent here as a RemoteAgent, in each of its ways`, async () => {
    const user = `agno ${version}`;
    const program = join(import.meta.dirname, "remote_agent.py");
    const { stdout } = await promisify(execFile)(python, [program, acted.url, user]);
    // It adds up what it is told, also what the agent has taken back; and over JSON-RPC it looks at no error and for no card.
    const seen = {
      content: "First. 你好, world.",
      session: "of agno",
      events: ["RunCompleted", "RunContent", "RunStarted"],
      streamed: expect.stringMatching(/^(?:Wrong words)?Right words and more$/) as string,
    };
    expect(JSON.parse(stdout.slice(stdout.indexOf("{")))).toEqual({
      "json-rpc": { ...seen, name: "actor", refused: false },
      rest: { ...seen, name: "Actor", refused: true },
    });
    const { body } = await acted.native.get<{ sessions: { message_count: number }[] }>(
      `/sessions?user_id=${encodeURIComponent(user)}`,
    );
    expect(body.sessions.map(({ message_count: count }) => count)).toEqual([8]);
  });
});
