import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { convert, describeSpeech } from "../support/speech-programs.ts";
import { faults } from "./axe.ts";
import { describeInBrowser, startBrowser } from "./browser.ts";
import { composer, gate, openStage, visit, type Stage } from "./stage.ts";

const panel = (page: Page) => page.getByRole("region", { name: "Hands-free conversation" });
const begin = (page: Page) => page.getByLabel("Talk hands-free").click();

/** What `getUserMedia` fails with, in this page from now on. */
async function deny(page: Page, name: string): Promise<void> {
  await page.evaluate((fault) => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException(fault, fault));
  }, name);
}

describeInBrowser("hands-free", () => {
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
      const question = Buffer.from(await spoken.arrayBuffer());
      // Asked at once, and once more while the answer to it is still being written: it does not end by itself.
      const twice =
        "asplit[x][y];[x]adelay=600:all=1,apad=pad_dur=12[a];[y]apad=pad_dur=3[b];[a][b]concat=n=2:v=0:a=1";
      const file = join(folder, "questions.wav");
      const format = ["-ar", "48000", "-ac", "1"];
      await writeFile(file, await convert(question, "wav", ["-filter_complex", twice, ...format]));
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

    test("one speaks and is answered in speech; speaking over the answer stops it", async () => {
      const { page, context, incidents } = await visit(browser, stage.service.url, {});
      const never = gate();
      stage.model.enqueue(
        {
          tokens: [
            "It is twelve o'clock, and there is very much more to be said about the hours of the day. ",
            "And so on and on, as long as somebody listens to it. ",
            "End.",
          ],
          pace: (at) => (at === 2 ? never.opened : undefined),
        },
        { tokens: ["It is still twelve."] },
      );
      await page.locator(".agent-card").first().waitFor();
      await begin(page);
      await panel(page)
        .locator(".caption", { hasText: "what time is it" })
        .waitFor({ timeout: 30_000 });
      await page.locator(".message.user .bubble", { hasText: "what time is it" }).first().waitFor();
      await panel(page).locator(".caption", { hasText: "Saying:" }).waitFor();
      await panel(page).getByText("Speaking", { exact: true }).waitFor();
      assert.equal(await composer(page).count(), 0);
      assert.deepEqual(await faults(page), []);
      // The second question, over the answer.
      await page.locator(".message.assistant.cancelled").waitFor({ timeout: 30_000 });
      await page
        .locator(".message.assistant.complete", { hasText: "It is still twelve." })
        .waitFor({ timeout: 30_000 });
      await panel(page).getByText("Listening", { exact: true }).waitFor({ timeout: 30_000 });

      await panel(page).getByLabel("Mute the microphone").click();
      await panel(page).getByText("The microphone is muted").waitFor();
      await page.locator(".messages").focus();
      await page.keyboard.press("Escape");
      await panel(page).waitFor({ state: "detached" });
      await composer(page).waitFor();
      assert.deepEqual(incidents, []);
      await context.close();
    }, 120_000);

    test("a lost network is said, and the conversation goes on after it", async () => {
      const { page, context } = await visit(browser, stage.service.url, {});
      let isCut = false;
      const cuts: (() => Promise<void>)[] = [];
      await context.routeWebSocket(/\/chat\/ws/, (socket) => {
        if (isCut) return void socket.close();
        const server = socket.connectToServer();
        cuts.push(async () => {
          await server.close();
          await socket.close();
        });
      });
      await page.reload();
      await page.locator(".agent-card").first().waitFor();
      await begin(page);
      // What was heard; the answer may be said already, and says it once more.
      await panel(page)
        .locator(".caption", { hasText: "what time is it" })
        .first()
        .waitFor({ timeout: 30_000 });
      isCut = true;
      for (const cut of cuts) await cut();
      await panel(page).getByText("The service cannot be reached").waitFor();
      isCut = false;
      await panel(page).getByText("The service cannot be reached").waitFor({ state: "detached" });
      await panel(page).getByLabel("End the hands-free conversation").click();
      await composer(page).waitFor();
      await context.close();
    }, 60_000);

    test.each([
      ["NotAllowedError", "does not allow this page to use the microphone"],
      ["NotFoundError", "No microphone was found"],
      ["NotReadableError", "another program may have it"],
    ])("why nothing is heard is said: %s", async (fault, text) => {
      const { page, context, incidents } = await visit(browser, stage.service.url, {
        viewport: { width: 390, height: 844 },
      });
      await page.locator(".agent-card").first().waitFor();
      await deny(page, fault);
      await begin(page);
      await panel(page).getByRole("alert").getByText(text).waitFor();
      assert.deepEqual(await faults(page), []);
      await panel(page).getByRole("button", { name: "Try again" }).click();
      await panel(page).getByRole("alert").getByText(text).waitFor();
      await page.keyboard.press("Escape");
      await composer(page).waitFor();
      assert.deepEqual(incidents, []);
      await context.close();
    });

    test("a microphone that goes away is said, and another one goes on where it was", async () => {
      const { page, context, incidents } = await visit(browser, stage.service.url, {});
      await page.locator(".agent-card").first().waitFor();
      // Kept, so that it can be taken away.
      await page.evaluate(() => {
        const { mediaDevices } = navigator;
        const get = mediaDevices.getUserMedia.bind(mediaDevices);
        mediaDevices.getUserMedia = async (wish) => {
          const stream = await get(wish);
          Reflect.set(window, "microphone", stream.getAudioTracks()[0]);
          return stream;
        };
      });
      const isLive = () =>
        page.evaluate(() => (Reflect.get(window, "microphone") as MediaStreamTrack).readyState);
      await begin(page);
      await panel(page).getByText("Listening", { exact: true }).waitFor();
      await page.evaluate(() => {
        (Reflect.get(window, "microphone") as MediaStreamTrack).dispatchEvent(new Event("ended"));
      });
      await panel(page).getByRole("alert").getByText("The microphone is gone").waitFor();
      assert.equal(await isLive(), "ended");
      assert.deepEqual(await faults(page), []);
      await panel(page).getByRole("button", { name: "Try again" }).click();
      await panel(page).getByText("Listening", { exact: true }).waitFor();
      assert.equal(await isLive(), "live");
      await page.keyboard.press("Escape");
      await composer(page).waitFor();
      assert.equal(await isLive(), "ended");
      assert.deepEqual(incidents, []);
      await context.close();
    });

    test("over plain HTTP it is said that browsers give no microphone there", async () => {
      const { page, context } = await visit(browser, stage.service.url, {});
      await page.locator(".agent-card").first().waitFor();
      await page.evaluate(() => {
        Object.defineProperty(window, "isSecureContext", { value: false });
      });
      await begin(page);
      await panel(page).getByRole("alert").getByText("over HTTPS").waitFor();
      await context.close();
    });
  });

  test("a service that does not understand speech offers no such thing, and its key says why", async () => {
    const stage = await openStage();
    const { page, context, incidents } = await stage.visit();
    await page.locator(".agent-card").first().waitFor();
    assert.equal(await page.getByLabel("Talk hands-free").count(), 0);
    await composer(page).evaluate((area) => area.blur());
    await page.keyboard.press("t");
    await panel(page).getByRole("alert").getByText("does not understand speech").waitFor();
    await page.keyboard.press("Escape");
    await composer(page).waitFor();
    assert.deepEqual(incidents, []);
    await context.close();
    await stage.close();
  }, 60_000);
});
