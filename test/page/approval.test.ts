import assert from "node:assert/strict";
import { afterAll, beforeAll, test } from "vitest";
import { readRecording } from "../agno/recording.ts";
import { startReplayServer, type ReplayServer } from "../agno/replay-server.ts";
import { describeInBrowser } from "./browser.ts";
import { openStage, say, type Stage } from "./stage.ts";

describeInBrowser("decisions of a person", () => {
  let agentOs: ReplayServer;
  let stage: Stage;

  beforeAll(async () => {
    agentOs = await startReplayServer(
      await readRecording("2.9.0", "a confirmation pauses the run, and approved it goes on"),
    );
    stage = await openStage({ AGNO_API_URL: agentOs.url });
  }, 120_000);
  afterAll(async () => {
    await stage?.close();
    await agentOs?.close();
  });

  test("a paused reply asks, survives a reload, and goes on when it is allowed", async () => {
    const { page, context, incidents } = await stage.visit();
    await page.locator(".agent-card", { hasText: "Janitor" }).first().click();
    await say(page, "clean");
    const question = page.locator(".approval");
    await question.getByText("May “delete_file” be carried out?").waitFor();
    await page.reload();
    await question.waitFor();
    assert.match(await question.innerText(), /\/data\/old\.txt/);
    await question.getByRole("button", { name: "Allow" }).click();
    const reply = page.locator(".message.assistant.complete");
    await reply.getByText("The tool says: Deleted /data/old.txt").waitFor();
    assert.match(await reply.innerText(), /I shall delete it\./);
    await reply.locator(".step", { hasText: "Used delete_file" }).waitFor();
    assert.equal(await question.count(), 0);
    assert.deepEqual(incidents, []);
    await context.close();
  });
});
