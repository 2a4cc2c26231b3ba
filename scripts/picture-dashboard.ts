/**
 * Draws the panels of the Grafana dashboard from a real Prometheus, which watches a real service with everything connected
 * and twenty users, for the documentation:
 *
 *     node scripts/picture-dashboard.ts docs/images/dashboard.png [minutes]
 *
 * Needs PostgreSQL, Redis, Prometheus and Chromium (Debian's packages). Panels of which nothing is known are told.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { chromium } from "playwright-core";
import { startWatchedService } from "../bench/watched-service.ts";

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  readonly fieldConfig?: { readonly defaults: { readonly unit: string } };
}

interface Series {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

const [output = "dashboard.png", minutes = "10"] = process.argv.slice(2);
const users = 20;
const leaving = new AbortController();
const watched = await startWatchedService(users, leaving.signal);
const prometheus = watched.url;
await delay(Number(minutes) * 60_000);
const end = Date.now() / 1000;
const start = end - Number(minutes) * 60;
const step = Math.max(5, Math.round((end - start) / 120));
const colours = [
  "#2f7ed8",
  "#e07b00",
  "#3a9d5d",
  "#c0392b",
  "#8e5bb5",
  "#00939c",
  "#8a6d3b",
  "#d6609a",
];
const column = 62;
const row = 22;

async function query(expr: string, legend: string): Promise<Series[]> {
  // What Grafana fills in.
  const filled = expr.replaceAll("$__rate_interval", "1m").replaceAll("$instance", ".*");
  const url = new URL("/api/v1/query_range", prometheus);
  url.search = new URLSearchParams({
    query: filled,
    start: `${start}`,
    end: `${end}`,
    step: `${step}`,
  }).toString();
  const { status, data } = (await (await fetch(url)).json()) as {
    status: string;
    data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
  };
  if (status !== "success") throw new Error(`Prometheus refuses ${filled}`);
  return data.result.map(({ metric, values }) => ({
    name: legend.replaceAll(/\{\{(\w+)\}\}/g, (_whole, label: string) => metric[label] ?? ""),
    points: values
      .map(([at, value]) => [at, Number(value)] as const)
      .filter(([, value]) => Number.isFinite(value)),
  }));
}

function format(value: number, unit: string): string {
  if (unit === "bytes") return `${(value / 2 ** 20).toFixed(0)} MiB`;
  if (unit === "percentunit") return `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`;
  if (unit === "s")
    return value < 1
      ? `${(value * 1000).toFixed(value < 0.01 ? 1 : 0)} ms`
      : `${value.toFixed(1)} s`;
  return value >= 100 ? value.toFixed(0) : String(Math.round(value * 100) / 100);
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function draw(panel: Panel, series: readonly Series[]): string {
  const { x, y, w, h } = panel.gridPos;
  const unit = panel.fieldConfig?.defaults.unit ?? "short";
  const [width, height, left, top] = [w * column - 24, h * row - 92, 58, 8];
  const highest =
    Math.max(...series.flatMap(({ points }) => points.map(([, value]) => value)), 1e-9) * 1.08;
  const at = ([time, value]: readonly [number, number]) =>
    `${(left + ((time - start) / (end - start)) * (width - left)).toFixed(1)},${(top + height - (value / highest) * height).toFixed(1)}`;
  const grid = [0, 0.5, 1].map((part) => {
    const level = top + height - part * height;
    return `<line x1="${left}" x2="${width}" y1="${level}" y2="${level}" stroke="#e3e6ea"/><text x="${left - 6}" y="${level + 4}" text-anchor="end">${format(part * highest, unit)}</text>`;
  });
  const times = [0, 0.5, 1].map((part) => {
    const clock = new Date((start + part * (end - start)) * 1000).toISOString().slice(11, 16);
    const anchor = ["start", "middle", "end"][part * 2];
    return `<text x="${left + part * (width - left)}" y="${top + height + 14}" text-anchor="${anchor}">${clock}</text>`;
  });
  const lines = series.map(
    ({ points }, index) =>
      `<polyline fill="none" stroke-width="1.6" stroke="${colours[index % colours.length]}" points="${points.map(at).join(" ")}"/>`,
  );
  const legend = series
    .slice(0, 8)
    .map(
      ({ name }, index) =>
        `<span><i style="background:${colours[index % colours.length]}"></i>${escape(name)}</span>`,
    )
    .join("");
  const nothing = series.length === 0 ? `<p>nothing has happened</p>` : "";
  return `<section style="left:${x * column}px;top:${y * row}px;width:${w * column - 10}px;height:${h * row - 10}px">
    <h2>${escape(panel.title)}</h2>${nothing}<svg width="${width}" height="${height + 26}">${grid.join("")}${times.join("")}${lines.join("")}</svg><footer>${legend}</footer></section>`;
}

const file = join(import.meta.dirname, "../deploy/grafana/chat-service.json");
const { title, panels } = JSON.parse(await readFile(file, "utf8")) as {
  title: string;
  panels: Panel[];
};
const parts = await Promise.all(
  panels.map(async (panel) => {
    if (panel.type === "row") {
      return `<h1 style="top:${panel.gridPos.y * row}px">${escape(panel.title)}</h1>`;
    }
    const series = await Promise.all(
      (panel.targets ?? []).map(({ expr, legendFormat }) => query(expr, legendFormat)),
    );
    if (series.flat().length === 0) process.stderr.write(`nothing is known of: ${panel.title}\n`);
    return draw(panel, series.flat());
  }),
);
const bottom = Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * row;
const html = `<!doctype html><title>${escape(title)}</title><style>
  body { position: relative; width: ${24 * column}px; height: ${bottom}px; margin: 12px; background: #f4f5f7; font: 12px sans-serif; color: #3b4754 }
  h1 { position: absolute; margin: 0; font-size: 14px }
  h2 { margin: 6px 10px 0; font-size: 13px; font-weight: 600 }
  section { position: absolute; background: #fff; border: 1px solid #dfe3e8; border-radius: 4px; overflow: hidden }
  section p { position: absolute; left: 40%; top: 40%; color: #8995a1 }
  text { font-size: 10px; fill: #6b7785 }
  footer { margin: 0 10px; max-height: 40px; overflow: hidden; font-size: 10px }
  footer span { margin-right: 10px; white-space: nowrap } i { display: inline-block; width: 8px; height: 3px; margin: 0 4px 2px 0 }
</style>${parts.join("")}`;

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
const page = await browser.newPage({ viewport: { width: 24 * column + 24, height: bottom + 24 } });
await page.setContent(html);
await page.screenshot({ path: output });
await browser.close();
leaving.abort();
await watched.stop();
