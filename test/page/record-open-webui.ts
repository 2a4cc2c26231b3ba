// Uses a real Open WebUI in a browser, writes down what it sends (test/protocols/recorded) and takes its picture:
//   node test/page/record-open-webui.ts
import { join } from "node:path";
import type { Page } from "playwright-core";
import { startBrowser } from "./browser.ts";
import { redSquare } from "./stage.ts";
import { openWebUiVersion, startOpenWebUi } from "../front-ends/open-webui.ts";
import { writeRecording } from "../front-ends/recording.ts";
import { startRequestRecorder } from "../front-ends/request-recorder.ts";
import { openFrontEndStage } from "../front-ends/stage.ts";

const pictures = join(import.meta.dirname, "../../docs/images");
const stage = await openFrontEndStage();
const recorder = await startRequestRecorder(stage.service.url);
const webUi = await startOpenWebUi(recorder.url, stage.apiKey);
const browser = await startBrowser();

async function visit(token: string, isAdministrator = false): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    locale: "en-US",
  });
  context.setDefaultTimeout(20_000);
  await context.addInitScript((value) => localStorage.setItem("token", value), token);
  const page = await context.newPage();
  await page.goto(webUi.url);
  // What is new is told to administrators.
  if (isAdministrator) await page.getByRole("button", { name: /Okay, Let/ }).click();
  await page.locator("#chat-input").waitFor();
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.locator("#chat-input").click();
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

/** Everything in it happens before the next one begins. */
async function scene(name: string, act: () => Promise<void>): Promise<void> {
  recorder.begin(name);
  await act();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await recorder.settled();
  console.log(name, recorder.requests.filter((each) => each.scene === name).length);
}

/** Buttons that are shown under the mouse. */
const press = (page: Page, selector: string) =>
  page
    .locator(selector)
    .last()
    .evaluate((button) => (button as HTMLElement).click());

const edit = async (page: Page, at: number, text: string) => {
  await page
    .locator("button.edit-user-message-button")
    .nth(at)
    .evaluate((button) => button.click());
  await page.locator("textarea[id^=message-edit]").fill(text);
  await page.locator("#confirm-edit-message-button").click();
};

try {
  const administrator = await webUi.user("Ada");
  const page = await visit(administrator, true);
  await scene("a chat begins", () =>
    say(page, "Which harbour is the oldest that is still in use?"),
  );
  await scene("it goes on", () => say(page, "And in northern Europe?"));
  await page.screenshot({ path: join(pictures, "open-webui.png") });
  await scene("an answer is asked for again", async () => {
    await press(page, 'button[aria-label="Regenerate"]');
    await page.getByText("Try Again").click();
  });
  await scene("a message is edited", () => edit(page, 1, "And in the south?"));
  await scene("the first message is edited", () => edit(page, 0, "Which bridge is the oldest?"));
  await scene("and it goes on from there", () => say(page, "Where is it?"));
  await scene("an answer is stopped", async () => {
    await say(page, "Count slowly");
    await page.getByText("3 4 5 6").waitFor();
    const stop = page.getByRole("button", { name: "Stop" }).last();
    await stop.click();
    await stop.waitFor({ state: "hidden" });
  });
  await scene("it goes on after that", () => say(page, "Thank you"));
  await scene("an answer is to be continued", () =>
    press(page, 'button[aria-label="Continue Response"]'),
  );
  await page.goto(webUi.url);
  await scene("a picture is sent", async () => {
    await page.locator("#chat-input").waitFor();
    await page
      .locator("input[type=file]")
      .first()
      .setInputFiles({ name: "red.png", mimeType: "image/png", buffer: redSquare });
    await page.locator("img[src*='data:image'], img[src*='/files/']").first().waitFor();
    await say(page, "What is on this picture?");
  });
  await page.goto(`${webUi.url}/?temporary-chat=true`);
  await scene("a temporary chat", async () => {
    await page.locator("#chat-input").waitFor();
    await say(page, "Between us");
  });
  const other = await visit(await webUi.user("Bob"));
  await scene("another user's chat", () => say(other, "Hello from me"));
  const config = await fetch(`${webUi.url}/openai/config`, {
    headers: { authorization: `Bearer ${administrator}` },
  });
  await webUi.post(
    "/openai/config/update",
    {
      ...((await config.json()) as object),
      OPENAI_API_CONFIGS: { "0": { api_type: "responses" } },
    },
    administrator,
  );
  await page.goto(webUi.url);
  await scene("a chat by the Responses API", async () => {
    await page.locator("#chat-input").waitFor();
    await say(page, "A bridge in Asia?");
  });
  await scene("and it goes on by the Responses API", () => say(page, "And in Africa?"));
  await writeRecording("open-webui", {
    frontEnd: "Open WebUI",
    version: openWebUiVersion,
    requests: recorder.requests.filter(({ scene: of }) => of !== "start"),
  });
} finally {
  await browser.close();
  await webUi.close();
  recorder.close();
  await stage.close();
}
