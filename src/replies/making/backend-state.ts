import type { Spent } from "../../agents/spent.ts";

type State = Readonly<Record<string, unknown>>;

/** What a reply had come to when its backend told its state. */
export interface StateContext {
  /** How much of the text the state stands for. */
  readonly contentLength: number;
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number } | null;
  /** The same by model; absent: an older node has stored it, or nothing. */
  readonly spent?: readonly Spent[];
}

/** Beside the backend's own members, whose names never begin with a colon. */
const contextKey = ":reply";

/**
 * A backend's state as it is stored. Checkpoints come later than states, with more text: whoever takes the run up
 * again must know what the reply had come to by then.
 */
export function storedState(state: State, context: StateContext): State {
  return { ...state, [contextKey]: context };
}

/** What was given to `storedState`; null when nothing was stored. */
export function stateContext(stored: State | null): StateContext | null {
  return (stored?.[contextKey] as StateContext | undefined) ?? null;
}
