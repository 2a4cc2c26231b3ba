import { useState } from "react";
import type { Decision, Requirement } from "../api/types.ts";
import { decide } from "../state/turns.ts";
import type { MessageView } from "../state/reply-view.ts";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";
import { readable } from "./words.ts";

interface Field {
  readonly name: string;
  readonly description?: string;
  readonly type?: string;
}

/** What a person has to decide before a reply goes on. All of it is sent together. */
export function Approvals({ message }: { readonly message: MessageView }) {
  const texts = useTexts();
  const requirements = message.requirements ?? [];
  const [decisions, setDecisions] = useState<ReadonlyMap<string, Decision>>(new Map());
  const [isSent, setSent] = useState(false);
  const take = (decision: Decision) => {
    const all = new Map(decisions).set(decision.id, decision);
    setDecisions(all);
    if (!requirements.every(({ id }) => all.has(id))) return;
    setSent(true);
    void decide(message.message_id, [...all.values()]).finally(() => {
      setSent(false);
      setDecisions(new Map());
    });
  };
  return (
    <section className="approvals" aria-label={texts.pausedTitle}>
      <h3>
        <Icon name="alert" size={17} />
        {texts.pausedTitle}
      </h3>
      {message.error && !isSent && (
        <p role="status" dir="auto">
          {message.error.message}
        </p>
      )}
      {requirements.map((requirement) => (
        // What was typed is there again where the decision did not get through.
        <div key={requirement.id} hidden={decisions.has(requirement.id)}>
          <Question requirement={requirement} isSent={isSent} onDecide={take} />
        </div>
      ))}
    </section>
  );
}

interface QuestionProps {
  readonly requirement: Requirement;
  readonly isSent: boolean;
  readonly onDecide: (decision: Decision) => void;
}

function Question({ requirement, isSent, onDecide }: QuestionProps) {
  const texts = useTexts();
  const { id, kind, tool } = requirement;
  const [note, setNote] = useState("");
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const { fields, ...known } = requirement.arguments;
  const asked = kind === "input" && Array.isArray(fields) ? (fields as Field[]) : [];
  const title = {
    confirm: texts.pausedConfirm,
    input: texts.pausedInput,
    external: texts.pausedExternal,
  }[kind](tool);
  const answer = (approved: boolean): Decision => ({
    id,
    approved,
    ...(note.trim() !== "" && { note: note.trim() }),
    ...(approved && kind === "input" && { result: typed(values, asked) }),
    ...(approved && kind === "external" && { result: values[""] ?? "" }),
  });
  return (
    <form
      className="approval"
      onSubmit={(event) => {
        event.preventDefault();
        onDecide(answer(true));
      }}
    >
      <p dir="auto">{title}</p>
      {Object.keys(known).length > 0 && (
        <pre tabIndex={0} dir="auto">
          {readable(known)}
        </pre>
      )}
      {asked.map((field) => (
        <label key={field.name}>
          <span dir="auto">
            {field.name}
            {field.description !== undefined && <small>{field.description}</small>}
          </span>
          <input
            value={values[field.name] ?? ""}
            onChange={(event) => setValues({ ...values, [field.name]: event.target.value })}
          />
        </label>
      ))}
      {kind === "external" && (
        <label>
          {texts.resultLabel}
          <textarea
            rows={3}
            value={values[""] ?? ""}
            onChange={(event) => setValues({ "": event.target.value })}
          />
        </label>
      )}
      <label>
        {texts.note}
        <input value={note} maxLength={10_000} onChange={(event) => setNote(event.target.value)} />
      </label>
      <div className="approval-buttons">
        <button type="submit" className="primary" disabled={isSent}>
          {kind === "confirm" ? texts.approve : texts.goOn}
        </button>
        <button
          type="button"
          className="secondary"
          disabled={isSent}
          onClick={() => onDecide(answer(false))}
        >
          {texts.reject}
        </button>
      </div>
    </form>
  );
}

/** Values as the fields want them, where that can be told. */
function typed(
  values: Readonly<Record<string, string>>,
  fields: readonly Field[],
): Record<string, unknown> {
  return Object.fromEntries(
    fields.map(({ name, type = "" }) => {
      const value = values[name] ?? "";
      if (/^(int|float|number)/.test(type) && value.trim() !== "" && !Number.isNaN(Number(value))) {
        return [name, Number(value)];
      }
      if (type.startsWith("bool")) return [name, /^(true|yes|1|是)$/i.test(value.trim())];
      return [name, value];
    }),
  );
}
