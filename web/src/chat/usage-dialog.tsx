import { useEffect, useState } from "react";
import { client } from "../api/client.ts";
import type { UsageGroup, UsageReport, UsageSum } from "../api/types.ts";
import { agentName, agents } from "../state/catalogue.ts";
import { notifyError } from "../state/notices.ts";
import { language } from "../state/preferences.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Dialog } from "../ui/dialog.tsx";

const groups = ["day", "agent", "model"] as const satisfies readonly UsageGroup[];
const periods = [7, 30, 365] as const;
const dayMs = 86_400_000;

interface UsageDialogProps {
  /** Absent: all that the user has used, in a period. */
  readonly sessionId?: string;
  readonly onClose: () => void;
}

/** What one's replies have used, or those of one conversation: by day, agent or model, with the sum of all. */
export function UsageDialog({ sessionId, onClose }: UsageDialogProps) {
  const texts = useTexts();
  const list = useStore(agents);
  const chosenLanguage = useStore(language);
  const [group, setGroup] = useState<UsageGroup>(sessionId === undefined ? "day" : "model");
  const [days, setDays] = useState<number>(30);
  const [report, setReport] = useState<UsageReport | null>(null);
  useEffect(() => {
    const controller = new AbortController();
    // Whole days, as the service counts them.
    const since = `${new Date(Date.now() - (days - 1) * dayMs).toISOString().slice(0, 10)}T00:00:00Z`;
    const which = sessionId === undefined ? { since } : { session_id: sessionId };
    client
      .usage({ group_by: group, ...which }, { signal: controller.signal })
      .then(setReport, (error: unknown) => {
        if (!controller.signal.aborted) notifyError(error);
      });
    return () => controller.abort();
  }, [group, days, sessionId]);

  const number = (value: number) => value.toLocaleString(chosenLanguage);
  const hasCosts = report?.total.cost !== null && report?.total.cost !== undefined;
  const title = sessionId === undefined ? texts.usage.title : texts.usage.ofConversation;
  const cells = (sum: UsageSum) => (
    <>
      <td>{number(sum.replies)}</td>
      <td>{number(sum.input_tokens)}</td>
      <td>{number(sum.output_tokens)}</td>
      {hasCosts && (
        <td>
          {sum.cost === null
            ? "–"
            : sum.cost.toLocaleString(chosenLanguage, { maximumSignificantDigits: 4 })}
        </td>
      )}
    </>
  );
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="settings-form">
        <div className="usage-choice">
          <div className="chips" role="group" aria-label={texts.usage.by}>
            {groups.map((each) => (
              <button
                key={each}
                type="button"
                className="chip"
                aria-pressed={each === group}
                onClick={() => setGroup(each)}
              >
                {texts.usage.groups[each]}
              </button>
            ))}
          </div>
          {sessionId === undefined && (
            <select
              value={days}
              aria-label={texts.usage.period}
              onChange={(event) => setDays(Number(event.target.value))}
            >
              {periods.map((each) => (
                <option key={each} value={each}>
                  {texts.usage.lastDays(each)}
                </option>
              ))}
            </select>
          )}
        </div>
        {report === null ? (
          <p className="quiet">{texts.loading}</p>
        ) : (
          <div className="usage-frame" tabIndex={0} role="region" aria-label={title}>
            <table className="usage-table">
              <thead>
                <tr>
                  <th scope="col">{texts.usage.groups[group]}</th>
                  <th scope="col">{texts.usage.replies}</th>
                  <th scope="col">{texts.usage.input}</th>
                  <th scope="col">{texts.usage.output}</th>
                  {hasCosts && <th scope="col">{texts.usage.cost}</th>}
                </tr>
              </thead>
              <tbody>
                {report.rows.map((row) => {
                  const { day, agent_id: agentId, model } = row;
                  const name =
                    day ??
                    (agentId === undefined
                      ? (model ?? texts.figures.unknown)
                      : agentName(list, agentId));
                  return (
                    <tr key={day ?? agentId ?? model ?? ""}>
                      <th scope="row" dir="auto">
                        {name}
                      </th>
                      {cells(row)}
                    </tr>
                  );
                })}
              </tbody>
              <tfoot>
                <tr>
                  <th scope="row">{texts.usage.total}</th>
                  {cells(report.total)}
                </tr>
              </tfoot>
            </table>
          </div>
        )}
      </div>
    </Dialog>
  );
}
