import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { theme } from "../state/preferences.ts";
import { useStore } from "../state/store.ts";

export interface ChartLine {
  readonly label: string;
  readonly values: readonly (number | null)[];
}

interface ChartProps {
  readonly title: string;
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly lines: readonly ChartLine[];
  readonly format: (value: number) => string;
}

const heightPx = 150;
const colours = ["--accent", "--warn"];

/** One figure over time; its newest values are said in words too. */
export function Chart({ title, times, lines, format }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const chosenTheme = useStore(theme);
  const shape = lines.map(({ label }) => label).join("\n");

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    let drawn = draw(element, shape.split("\n"), format);
    plot.current = drawn;
    const resized = new ResizeObserver(() =>
      drawn.setSize({ width: element.clientWidth, height: heightPx }),
    );
    resized.observe(element);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const redraw = () => {
      const { data } = drawn;
      drawn.destroy();
      drawn = draw(element, shape.split("\n"), format);
      plot.current = drawn;
      drawn.setData(data);
    };
    dark.addEventListener("change", redraw);
    return () => {
      dark.removeEventListener("change", redraw);
      resized.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [shape, format, chosenTheme]);

  useEffect(() => {
    plot.current?.setData([[...times], ...lines.map(({ values }) => [...values])]);
  }, [times, lines, chosenTheme]);

  return (
    <figure className="chart">
      <figcaption>
        <span>{title}</span>
        {lines.map(({ label, values }, index) => {
          const newest = values.at(-1) ?? null;
          return (
            <span key={label} className={`chart-value line-${index}`}>
              {lines.length > 1 && <small>{label}</small>}
              {newest === null ? "–" : format(newest)}
            </span>
          );
        })}
      </figcaption>
      <div ref={place} aria-hidden="true" />
    </figure>
  );
}

function draw(element: HTMLElement, labels: readonly string[], format: (value: number) => string) {
  const axis = {
    stroke: colour(element, "--ink-soft"),
    grid: { stroke: colour(element, "--line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui",
  };
  return new uPlot(
    {
      width: element.clientWidth,
      height: heightPx,
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: (_plot, _low, high) => [0, Math.max(high * 1.15, 1)] } },
      axes: [
        { ...axis, grid: { show: false }, values: "{HH}:{mm}:{ss}", space: 90, size: 28 },
        { ...axis, size: 62, values: (_plot, values) => values.map((value) => format(value)) },
      ],
      series: [
        {},
        ...labels.map((label, index) => {
          const stroke = colour(element, colours[index] ?? "--ink-soft");
          return {
            label,
            stroke,
            width: 1.8,
            points: { show: false },
            ...(labels.length === 1 && { fill: stroke.replace(/^rgb\((.*)\)$/, "rgba($1, 0.09)") }),
          };
        }),
      ],
    },
    [[]],
    element,
  );
}

/** The colour that a custom property stands for here and now: canvases know no properties. */
function colour(element: HTMLElement, property: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${property})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
