// Draws the icons of web/src/icons from web/src/icon.svg: `node test/page/draw-icons.ts`.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { startBrowser } from "./browser.ts";

const source = join(import.meta.dirname, "../../web/src");
const svg = await readFile(join(source, "icon.svg"), "utf8");
/** Systems cut it to a shape of their own: coloured to the edge, and the drawing in the middle. */
const whole = svg
  .replace('rx="9"', "")
  .replace("<path", '<g transform="translate(16 16) scale(.78) translate(-16 -16)"><path')
  .replace("</svg>", "</g></svg>");

const browser = await startBrowser();
const page = await browser.newPage();
for (const [name, size, drawing] of [
  ["icon-192", 192, svg],
  ["icon-512", 512, svg],
  ["maskable-512", 512, whole],
  ["apple-touch-180", 180, whole],
] as const) {
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(`<style>body{margin:0}svg{display:block;width:100vw}</style>${drawing}`);
  await page.screenshot({ path: join(source, `icons/${name}.png`), omitBackground: true });
}
await browser.close();
