import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { client } from "../api/client.ts";
import type { DependencyReport } from "../api/types.ts";
import { language } from "../state/preferences.ts";
import { useStore } from "../state/store.ts";
import type { Texts } from "../text/en.ts";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";
import { isAdministrator } from "./administration.ts";
import { serviceStatus, watchStatus } from "./samples.ts";
import "../styles/status.css";

// Drawing is loaded beside the figures, not before them.
const Chart = lazy(async () => ({ default: (await import("./chart.tsx")).Chart }));

// For administrators only, and of no use to anybody else.
const Administration = lazy(async () => ({
  default: (await import("./administration-view.tsx")).Administration,
}));

const count = (value: number) => String(Math.round(value * 10) / 10);
const milliseconds = (value: number) =>
  value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
const megabytes = (value: number) => `${Math.round(value / 1_048_576)} MB`;

/** How the service is doing, as it is happening. */
export function StatusPage() {
  const texts = useTexts();
  const chosenLanguage = useStore(language);
  const { health, metrics, isReachable, isReady, hasMetrics, updatedMs } = useStore(serviceStatus);
  const [isAdmin, setIsAdmin] = useState(false);
  useEffect(watchStatus, []);
  useEffect(() => {
    void isAdministrator().then(setIsAdmin, () => undefined);
  }, []);
  useEffect(() => {
    document.title = texts.health.title;
  }, [texts]);
  const known = isReady === null ? health?.status : isReady ? "healthy" : "unhealthy";
  const overall = isReachable ? (known ?? "disabled") : "unhealthy";
  return (
    <main className="status-page">
      <header>
        <a href={client.url("/")} className="status-back">
          <Icon name="chevron" size={16} />
          {texts.health.back}
        </a>
        <button
          type="button"
          className="language-switch"
          lang={chosenLanguage === "zh" ? "en" : "zh-CN"}
          onClick={() => language.set(chosenLanguage === "zh" ? "en" : "zh")}
        >
          {chosenLanguage === "zh" ? "English" : "中文"}
        </button>
      </header>
      <div className={`status-overall ${overall}`}>
        <span className="lamp" aria-hidden="true" />
        <div>
          <h1>{texts.health.title}</h1>
          <p role="status">
            {isReachable ? known !== undefined && texts.health[known] : texts.health.unreachable}
          </p>
          {isReady !== null && <p className="quiet">{texts.health.inside}</p>}
        </div>
        {health !== null && (
          <dl>
            <div>
              <dt>{texts.health.version}</dt>
              <dd>{health.version}</dd>
            </div>
            <div>
              <dt>{texts.health.uptime}</dt>
              <dd>{uptime(health.uptime_seconds)}</dd>
            </div>
            {metrics !== null && (
              <div>
                <dt>{texts.chart.sessions}</dt>
                <dd>{metrics.sessions.total}</dd>
              </div>
            )}
          </dl>
        )}
      </div>
      {hasMetrics ? (
        <Suspense fallback={<p className="quiet">{texts.loading}</p>}>
          <Charts />
        </Suspense>
      ) : (
        <p className="quiet">{texts.health.noMetrics}</p>
      )}
      {health !== null && (
        <>
          <h2>{texts.health.dependencies}</h2>
          <ul className="dependencies">
            {Object.entries(health.dependencies).map(([name, report]) => (
              <Dependency key={name} name={name} report={report} />
            ))}
          </ul>
          <h2>{texts.health.components}</h2>
          <ul className="dependencies">
            {Object.entries(health.components).map(([name, { status, details }]) => (
              <li key={name} className={status}>
                <span className="lamp" aria-hidden="true" />
                <strong>{texts.health.parts[name] ?? name}</strong>
                <span className="quiet">{stateName(status, texts)}</span>
                <p className="quiet">{factsOf(details)}</p>
              </li>
            ))}
          </ul>
        </>
      )}
      {isAdmin && (
        <Suspense fallback={<p className="quiet">{texts.loading}</p>}>
          <Administration metrics={metrics} />
        </Suspense>
      )}
      {updatedMs !== null && (
        <p className="quiet">{texts.health.updated(new Date(updatedMs).toLocaleTimeString())}</p>
      )}
    </main>
  );
}

function Charts() {
  const texts = useTexts();
  const { samples } = useStore(serviceStatus);
  const { chart } = texts;
  const times = useMemo(() => samples.map(({ time }) => time), [samples]);
  const lines = useMemo(
    () => ({
      messages: [{ label: chart.user, values: samples.map((each) => each.messagesPerMinute) }],
      running: [{ label: chart.running, values: samples.map((each) => each.running) }],
      latency: [
        { label: chart.median, values: samples.map((each) => each.replyMs.p50) },
        { label: chart.p95, values: samples.map((each) => each.replyMs.p95) },
      ],
      firstToken: [
        { label: chart.median, values: samples.map((each) => each.firstTokenMs.p50) },
        { label: chart.p95, values: samples.map((each) => each.firstTokenMs.p95) },
      ],
      errors: [{ label: chart.errors, values: samples.map((each) => each.errorsPerMinute) }],
      memory: [{ label: chart.memory, values: samples.map((each) => each.memoryBytes) }],
    }),
    [samples, chart],
  );
  return (
    <>
      <h2>{texts.health.charts}</h2>
      <div className="charts">
        <Chart title={chart.messages} times={times} lines={lines.messages} format={count} />
        <Chart title={chart.running} times={times} lines={lines.running} format={count} />
        <Chart title={chart.latency} times={times} lines={lines.latency} format={milliseconds} />
        <Chart
          title={chart.firstToken}
          times={times}
          lines={lines.firstToken}
          format={milliseconds}
        />
        <Chart title={chart.errors} times={times} lines={lines.errors} format={count} />
        <Chart title={chart.memory} times={times} lines={lines.memory} format={megabytes} />
      </div>
    </>
  );
}

function Dependency({
  name,
  report,
}: {
  readonly name: string;
  readonly report: DependencyReport;
}) {
  const texts = useTexts();
  return (
    <li className={report.status}>
      <span className="lamp" aria-hidden="true" />
      <strong>{texts.health.names[name] ?? name}</strong>
      <span className="quiet">
        {stateName(report.status, texts)}
        {report.latency_ms !== null && ` · ${milliseconds(report.latency_ms)}`}
      </span>
      <p className="quiet">{factsOf(report.details)}</p>
    </li>
  );
}

function stateName(status: string, texts: Texts): string {
  const { healthy, degraded, unhealthy, disabled } = texts.health;
  return { healthy, degraded, unhealthy, disabled }[status] ?? status;
}

const maxFactsLength = 200;

function factsOf(details: Readonly<Record<string, unknown>>): string {
  return Object.entries(details)
    .map(([name, value]) => {
      const text = typeof value === "object" ? JSON.stringify(value) : String(value);
      return `${name.replaceAll("_", " ")}: ${text.replaceAll(/["{}[\]]/g, "").replaceAll(",", ", ")}`;
    })
    .join(" · ")
    .slice(0, maxFactsLength);
}

function uptime(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3_600);
  const minutes = Math.floor((seconds % 3_600) / 60);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${days > 0 ? `${days} d ` : ""}${two(hours)}:${two(minutes)}:${two(Math.floor(seconds % 60))}`;
}
