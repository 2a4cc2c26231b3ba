import type { Decision, Requirement } from "../../agents/agent-backend.ts";
import { decideInWords } from "../../agents/decide-in-words.ts";
import { faulty } from "../faulty.ts";
import { namedFields } from "../question.ts";
import type { SaidMessage } from "./request.ts";

/**
 * What a message decides about all that a task waits for: in words, or exactly as a value with `decisions`. Raises
 * `bad_request` for what answers it not.
 */
export function decisionsOf(
  { said, values }: Pick<SaidMessage, "said" | "values">,
  requirements: readonly Requirement[],
): Decision[] {
  const exact = values.map(exactDecisions).find((given) => given !== null);
  if (exact !== undefined) return exact;
  const inWords = values.length === 0 ? decideInWords(said.text, requirements) : null;
  if (inWords !== null) return [...inWords];
  return requirements.map((requirement) =>
    requirement.kind === "confirm"
      ? confirmed(requirement, values)
      : { id: requirement.id, approved: true, result: resultOf(requirement, said.text, values) },
  );
}

const parts = "/params/message/parts";

function exactDecisions(value: unknown): Decision[] | null {
  const { decisions } = (value ?? {}) as { decisions?: unknown };
  if (!Array.isArray(decisions)) return null;
  return decisions.map((given: unknown) => {
    const { id, approved, note, result } = (given ?? {}) as Partial<
      Record<keyof Decision, unknown>
    >;
    if (typeof id !== "string" || typeof approved !== "boolean") {
      throw faulty(
        parts,
        "has decisions, each of which needs id and approved",
        "中的 decisions 每项需要 id 与 approved",
      );
    }
    return {
      id,
      approved,
      ...(typeof note === "string" && note !== "" && { note }),
      ...(result !== undefined && { result }),
    };
  });
}

function confirmed({ id }: Requirement, values: readonly unknown[]): Decision {
  const said = values
    .map((value) => (value as { approved?: unknown } | null | undefined)?.approved)
    .find((approved) => typeof approved === "boolean");
  if (said !== undefined) return { id, approved: said };
  throw faulty(
    parts,
    'must say yes or no (to several: "yes to all"), or be data with decisions: {"decisions": [{"id", "approved"}]}',
    '必须回答“是”或“否”（有多项时：“全部同意”），或提供数据 {"decisions": [{"id", "approved"}]}',
  );
}

/** Of one field a text is its value; of several the fields come by their names. */
function resultOf(
  { kind, arguments: given }: Requirement,
  text: string,
  values: readonly unknown[],
): unknown {
  const fields = kind === "input" ? namedFields(given) : [];
  const [value] = values;
  if (value !== undefined) return value;
  const parsed = parsedObject(text);
  if (kind === "external") return text;
  if (parsed !== null) return parsed;
  const [field] = fields;
  if (fields.length === 1 && field !== undefined && text.trim() !== "")
    return { [field.name]: text };
  const names = fields.map(({ name }) => name).join(", ");
  throw faulty(
    parts,
    `must be data with the fields that are asked for: ${names}`,
    `必须是包含所需字段的数据：${names}`,
  );
}

function parsedObject(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : null;
  } catch {
    return null;
  }
}
