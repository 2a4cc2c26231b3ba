import type { ModelInfo } from "../../agent-backend.ts";

/** Whether a list has a model, as servers take its name: `qwen3` for `qwen3:latest`, `gemini-x` for `models/gemini-x`. */
export function hasModel(known: readonly ModelInfo[], name: string): boolean {
  return known.some(({ id }) => id === name || id === `${name}:latest` || id === `models/${name}`);
}

/** What mends that it has not. */
export function chooseAnother(known: readonly ModelInfo[], name: string): string {
  const some = known.slice(0, 5).map(({ id }) => id);
  return `Set MODELS_DEFAULT_MODEL to one of ${some.join(", ")}, or load it (ollama pull ${name})`;
}
