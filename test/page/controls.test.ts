import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { readRecording } from "../agno/recording.ts";
import { startReplayServer, type ReplayServer } from "../agno/replay-server.ts";
import { describeInBrowser } from "./browser.ts";
import { openStage, say, type Stage } from "./stage.ts";

interface Agent {
  readonly agent_id: string;
  readonly name: string;
  readonly type: string;
  readonly source: string;
  readonly settings: readonly string[];
  readonly metadata: { readonly attachments?: readonly string[] };
}

describeInBrowser("no control that does nothing", () => {
  let stage: Stage;
  let agentOs: ReplayServer;

  beforeAll(async () => {
    agentOs = await startReplayServer(
      await readRecording("2.9.0", "a confirmation pauses the run, and approved it goes on"),
    );
    stage = await openStage(
      {
        AGNO_API_URL: agentOs.url,
        VOICE_ENABLED: "false",
        MODELS_AGENTS: JSON.stringify([{ id: "plain", name: "Plain", description: "Answers" }]),
      },
      undefined,
      ["small", "large"],
    );
  }, 120_000);
  afterAll(async () => {
    await stage?.close();
    await agentOs?.close();
  });

  /** Whether each control is there, and what it is for. */
  const controls: readonly {
    readonly name: string;
    readonly isMeant: (agent: Agent) => boolean;
    readonly isShown: (page: Page) => Promise<boolean>;
  }[] = [
    {
      name: "files",
      isMeant: ({ metadata: { attachments } }) => attachments?.length !== 0,
      isShown: async (page) => (await page.getByLabel("Attach files").count()) === 1,
    },
    {
      name: "model at the composer",
      isMeant: ({ settings }) => settings.includes("model"),
      isShown: async (page) =>
        (await page.locator(".composer").getByLabel("Model", { exact: true }).count()) === 1,
    },
    ...(["Model", "Temperature", "Additional instructions"] as const).map((label) => ({
      name: `${label} of the conversation`,
      isMeant: ({ settings }: Agent) =>
        settings.includes(
          label === "Additional instructions" ? "instructions" : label.toLowerCase(),
        ),
      isShown: async (page: Page) =>
        (await page.getByRole("dialog").locator("label", { hasText: label }).count()) === 1,
    })),
    {
      name: "speech, which this service has none of",
      isMeant: () => false,
      isShown: async (page) =>
        (await page
          .locator(".composer")
          .getByLabel(/Talk|Speak replies/)
          .count()) > 0,
    },
  ];

  test("for every kind of agent there are those controls that it takes, and no others", async () => {
    const { agents } = (await stage.client.get<{ agents: Agent[] }>("/chat/agents")).body;
    const kinds = new Set(agents.map(({ source, type }) => `${source} ${type}`));
    for (const kind of ["models agent", "agno agent", "agno team", "agno workflow"]) {
      assert.ok(kinds.has(kind), `${kind} in ${[...kinds].join()}`);
    }
    const { page, context, incidents } = await stage.visit();
    for (const agent of agents) {
      await page
        .locator(".agent-card")
        .filter({ has: page.locator(`input[value="${agent.agent_id}"]`) })
        .click();
      await page.getByLabel("Settings of this conversation").click();
      await page.getByRole("dialog").getByRole("heading").waitFor();
      for (const { name, isMeant, isShown } of controls) {
        assert.equal(await isShown(page), isMeant(agent), `${agent.agent_id}: ${name}`);
      }
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
    }
    assert.deepEqual(incidents, []);
    await context.close();
  });

  test("another model is offered where the agent takes one, and a conversation goes on from any reply", async () => {
    const { page, context } = await stage.visit();
    const reply = page.locator(".message.assistant.complete");
    await say(page, "6 * 7");
    await reply.locator(".model-name", { hasText: "small" }).waitFor();
    await reply.getByRole("button", { name: "With another model" }).click();
    await page.getByRole("menuitem", { name: "Plain" }).click();
    await reply.locator(".agent-name", { hasText: "Plain" }).waitFor();
    await reply.getByRole("button", { name: "With another model" }).click();
    await page.getByRole("menuitem", { name: "large" }).click();
    await page.locator(".model-name", { hasText: "large" }).waitFor();
    await reply.getByLabel("Details").click();
    await page.locator(".figures", { hasText: "The model was sent" }).waitFor();

    const before = page.url();
    await reply.getByLabel("Go on from here apart").click();
    await page.waitForURL((url) => url.href !== before && url.searchParams.has("session"));
    await page.locator(".model-name", { hasText: "large" }).waitFor();
    await say(page, "and on");
    await reply.filter({ hasText: "You said: and on" }).waitFor();
    await page.goto(before);
    await page.locator(".model-name", { hasText: "large" }).waitFor();
    assert.equal(await page.getByText("and on").count(), 0);
    await context.close();
  });
});
