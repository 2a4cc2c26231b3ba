import { useState, type ReactNode } from "react";
import type { Administrated, Metrics } from "../api/types.ts";
import { language } from "../state/preferences.ts";
import { useStore } from "../state/store.ts";
import type { Texts } from "../text/en.ts";
import { useTexts } from "../text/use-texts.ts";
import { readChapter, type Chapter } from "./administration.ts";

/** A table: its head, and its rows with what tells them apart. */
interface Sheet {
  readonly head: readonly string[];
  readonly rows: readonly { readonly key: string; readonly cells: readonly ReactNode[] }[];
  readonly hasMore: boolean;
}

/** What only administrators see. */
export function Administration({ metrics }: { readonly metrics: Metrics | null }) {
  const { administration: words } = useTexts();
  return (
    <section className="administration" aria-labelledby="administration">
      <h2 id="administration">{words.title}</h2>
      {metrics !== null && (
        <>
          <p className="quiet">{words.now}</p>
          <div className="counts">
            <Counts title={words.sessions} counts={metrics.sessions.by_status} />
            <Counts
              title={words.replies}
              counts={{ running: metrics.replies.running, ...metrics.replies.by_status }}
            />
            <Counts title={words.errors} counts={metrics.errors.by_type} none={words.noErrors} />
          </div>
        </>
      )}
      <p className="quiet">{words.hint}</p>
      <Fold chapter="agents" sheet={agents} />
      <Fold chapter="usage" sheet={usage} />
      <Fold chapter="feedback" sheet={feedback} />
      <Fold chapter="keys" sheet={keys} />
      <Fold chapter="audit" sheet={audit} />
    </section>
  );
}

function Counts({
  title,
  counts,
  none,
}: {
  readonly title: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly none?: string;
}) {
  const { administration: words } = useTexts();
  const entries = Object.entries(counts).toSorted(([, left], [, right]) => right - left);
  return (
    <div>
      <h3>{title}</h3>
      {entries.length === 0 ? (
        <p className="quiet">{none ?? words.none}</p>
      ) : (
        <dl>
          {entries.map(([name, count]) => (
            <div key={name}>
              <dt>{words.states[name] ?? name}</dt>
              <dd>{count}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}

interface FoldProps<Name extends Chapter> {
  readonly chapter: Name;
  readonly sheet: (told: Administrated[Name], texts: Texts, locale: string) => Sheet;
}

/** Fetched when it is unfolded, and again when that is wished. */
function Fold<Name extends Chapter>({ chapter, sheet }: FoldProps<Name>) {
  const texts = useTexts();
  const locale = useStore(language);
  const { administration: words } = texts;
  const [told, setTold] = useState<Administrated[Name] | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const [isLoading, setIsLoading] = useState(false);
  const load = async () => {
    setIsLoading(true);
    try {
      setTold(await readChapter(chapter));
      setFault(null);
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
    setIsLoading(false);
  };
  const shown = told === null ? null : sheet(told, texts, locale);
  const title = words.chapters[chapter];
  return (
    <details
      className="chapter"
      data-chapter={chapter}
      onToggle={({ currentTarget }) => {
        if (currentTarget.open && told === null && !isLoading) void load();
      }}
    >
      <summary>{title}</summary>
      {fault !== null && <p role="alert">{fault}</p>}
      {shown !== null && shown.rows.length === 0 && <p className="quiet">{words.none}</p>}
      {shown !== null && shown.rows.length > 0 && (
        <div className="sheet" tabIndex={0} role="region" aria-label={title}>
          <table>
            <thead>
              <tr>
                {shown.head.map((each) => (
                  <th key={each} scope="col">
                    {each}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.rows.map(({ key, cells }) => (
                <tr key={key}>
                  {cells.map((cell, index) => (
                    <td key={shown.head[index]} dir="auto">
                      {cell}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {shown?.hasMore === true && <p className="quiet">{words.more(shown.rows.length)}</p>}
      {(told !== null || fault !== null) && (
        <button
          type="button"
          className="link-button"
          disabled={isLoading}
          onClick={() => void load()}
        >
          {words.again}
        </button>
      )}
      {isLoading && <p role="status">{texts.loading}</p>}
    </details>
  );
}

const moment = (time: string | null, locale: string) =>
  time === null ? null : new Date(time).toLocaleString(locale);

function agents({ agents: list }: Administrated["agents"], texts: Texts): Sheet {
  const words = texts.administration;
  return {
    head: [words.agent, words.source, words.model, words.state],
    rows: list.map((agent) => ({
      key: `${agent.source} ${agent.agent_id}`,
      cells: [
        agent.name,
        agent.source,
        agent.model ?? "–",
        agent.status === "available" ? words.available : words.unavailable,
      ],
    })),
    hasMore: false,
  };
}

function usage(report: Administrated["usage"], texts: Texts, locale: string): Sheet {
  const words = texts.usage;
  const hasCosts = report.total.cost !== null;
  const cells = (sum: Administrated["usage"]["total"]) => [
    sum.replies.toLocaleString(locale),
    sum.input_tokens.toLocaleString(locale),
    sum.output_tokens.toLocaleString(locale),
    ...(hasCosts ? [sum.cost?.toLocaleString(locale, { maximumSignificantDigits: 4 }) ?? "–"] : []),
  ];
  const rows = report.rows.map(({ day = "", ...sum }) => ({
    key: day,
    cells: [day, ...cells(sum)],
  }));
  return {
    head: [
      words.groups.day,
      words.replies,
      words.input,
      words.output,
      ...(hasCosts ? [words.cost] : []),
    ],
    rows:
      rows.length === 0
        ? []
        : [...rows, { key: "total", cells: [words.total, ...cells(report.total)] }],
    hasMore: false,
  };
}

function feedback(told: Administrated["feedback"], texts: Texts, locale: string): Sheet {
  const words = texts.administration;
  return {
    head: [words.when, words.who, words.agent, words.rating, words.said],
    rows: told.feedback.map((each) => ({
      key: each.message_id,
      cells: [
        moment(each.timestamp, locale),
        each.user_id,
        each.agent_id,
        [each.rating === "up" ? "+" : "−", ...each.tags, each.comment ?? ""].join(" "),
        <div className="said" key="said" tabIndex={0}>
          <strong>{each.question}</strong>
          <p>{each.answer}</p>
        </div>,
      ],
    })),
    hasMore: told.pagination.has_more,
  };
}

function keys(told: Administrated["keys"], texts: Texts, locale: string): Sheet {
  const words = texts.administration;
  const hasEnded = ({
    revoked_at: revoked,
    expires_at: expires,
  }: {
    revoked_at: string | null;
    expires_at: string | null;
  }) => revoked !== null || (expires !== null && Date.parse(expires) < Date.now());
  return {
    head: [words.key, words.who, words.rights, words.used, words.state],
    rows: told.api_keys.map((each) => ({
      key: each.key_id,
      cells: [
        `${each.name} (${each.hint}…)`,
        each.user_id,
        [...each.roles, ...(each.scopes ?? [])].join(", ") || "–",
        moment(each.last_used_at, locale) ?? words.never,
        hasEnded(each) ? words.ended : words.valid,
      ],
    })),
    hasMore: told.pagination.has_more,
  };
}

function audit(told: Administrated["audit"], texts: Texts, locale: string): Sheet {
  const words = texts.administration;
  return {
    head: [words.when, words.who, words.what, words.whose, words.outcome],
    rows: told.entries.map((each) => ({
      key: each.entry_id,
      cells: [
        moment(each.at, locale),
        each.key_name === null ? each.actor : `${each.actor ?? ""} (${each.key_name})`,
        [each.action, ...Object.values(each.target)].join(" "),
        each.subject,
        each.outcome === "allowed" ? words.allowed : words.failed(each.status),
      ],
    })),
    hasMore: told.pagination.has_more,
  };
}
