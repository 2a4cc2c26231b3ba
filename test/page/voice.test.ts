import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { convert, describeSpeech } from "../support/speech-programs.ts";
import { describeInBrowser, startBrowser } from "./browser.ts";
import { gate, openStage, visit, type Stage } from "./stage.ts";

describeInBrowser("speech on the page", () => {
  describeSpeech("with real engines and a recorded microphone", () => {
    let stage: Stage;
    let browser: Browser;
    let folder: string;

    beforeAll(async () => {
      stage = await openStage({ VOICE_STT_COMMAND: "pocketsphinx" });
      folder = await mkdtemp(join(tmpdir(), "microphone-"));
      const spoken = await fetch(`${stage.service.url}/chat/voice/synthesize`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ text: "what time is it", voice: "rms", format: "wav" }),
      });
      // The browser plays the file from the moment the microphone is opened, and silence after it.
      const file = join(folder, "question.wav");
      const quietEnds = ["-af", "adelay=400:all=1,apad=pad_dur=1", "-ar", "48000", "-ac", "1"];
      await writeFile(
        file,
        await convert(Buffer.from(await spoken.arrayBuffer()), "wav", quietEnds),
      );
      browser = await startBrowser([
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        `--use-file-for-fake-audio-capture=${file}%noloop`,
      ]);
    }, 120_000);
    afterAll(async () => {
      await browser?.close();
      await stage?.close();
      await rm(folder, { recursive: true, force: true });
    });

    test("what is said becomes a message, and the reply is spoken while it is written", async () => {
      const { page, context, incidents } = await visit(browser, stage.service.url, {});
      await context.addInitScript(noteSounds);
      await page.reload();
      const talk = page.getByLabel("Talk: hold");
      await talk.click();
      await page.getByText("Recording").waitFor();
      await page.getByLabel("Discard").click();
      await talk.waitFor();
      assert.equal(await page.locator(".message").count(), 0);

      await page.getByLabel("Speak replies aloud").click();
      const rest = gate();
      stage.model.enqueue({
        tokens: ["It is twelve o'clock. ", "Is there anything else that you would like to know?"],
        pace: (index) => (index === 1 ? rest.opened : undefined),
      });
      await talk.hover();
      await page.mouse.down();
      await page.getByText("0:03").waitFor();
      await page.mouse.up();
      await page
        .locator(".message.user .bubble", { hasText: "what time is it" })
        .waitFor({ timeout: 30_000 });
      // The first sentence is heard although the second is not written yet.
      await page.waitForFunction(() => (Reflect.get(window, "sounds") as number[]).length > 0);
      await page.getByRole("button", { name: "Stop speaking" }).first().waitFor();
      assert.equal(await page.locator(".message.assistant").getAttribute("aria-busy"), "true");
      rest.open();
      await page.locator(".message.assistant.complete").waitFor();
      await page.getByRole("button", { name: "Stop speaking" }).first().click();
      await page.getByRole("button", { name: "Stop speaking" }).waitFor({ state: "detached" });
      await page.getByLabel("Read aloud").click();
      await page.getByRole("button", { name: "Stop speaking" }).first().waitFor();
      const sounds = await page.evaluate(() => Reflect.get(window, "sounds") as number[]);
      assert.ok(
        sounds.every((seconds) => seconds > 0.3),
        sounds.join(),
      );
      assert.deepEqual(incidents, []);
      await context.close();
    }, 90_000);
  });
});

/** In the page: notes how many seconds each sound has that is heard. */
function noteSounds(): void {
  const sounds: number[] = [];
  Reflect.set(window, "sounds", sounds);
  const { play } = HTMLMediaElement.prototype;
  HTMLMediaElement.prototype.play = function heard(this: HTMLMediaElement) {
    this.addEventListener("playing", () => sounds.push(this.duration), { once: true });
    return play.call(this);
  };
}
