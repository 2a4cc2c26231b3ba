type State = Readonly<Record<string, unknown>>;

/** Beside the backend's own members, which never begin with a colon. */
const lengthKey = ":content_length";

/**
 * A backend's state as it is stored. Checkpoints come later than states, with more text: whoever takes the run up
 * again must know how much of the text the state stands for.
 */
export function storedState(state: State, contentLength: number): State {
  return { ...state, [lengthKey]: contentLength };
}

/** The length given to `storedState`; null for none. */
export function stateLength(stored: State | null): number | null {
  const length = stored?.[lengthKey];
  return typeof length === "number" ? length : null;
}
