/** Says of a text how long it is and what it was, without holding it: 20 bytes instead of megabytes. */
export interface TextMark {
  /** In UTF-16 units. */
  readonly length: number;
  readonly hash: string;
}

/**
 * Remembers the text delivered so far. AgentOS ends a run with the whole text, which is the sum of the pieces except
 * when a server-side fallback model took over: the trace tells the two apart with bounded memory, and goes into
 * the state of a resumable run, so that it also works after a restart.
 */
export interface TextTrace {
  readonly length: number;
  append(text: string): void;
  /** Starts over with nothing. */
  reset(): void;
  /** What `whole` has beyond the text so far; null when it does not begin with it. */
  restOf(whole: string): string | null;
  mark(): TextMark;
}

const seedA = 0x811c9dc5;
const seedB = 0x9e3779b9;

export function createTextTrace(mark?: TextMark): TextTrace {
  let length = 0;
  let a = seedA;
  let b = seedB;
  if (mark) {
    const [first = "", second = ""] = mark.hash.split("-");
    length = mark.length;
    a = Number.parseInt(first, 16) | 0;
    b = Number.parseInt(second, 16) | 0;
  }

  return {
    get length() {
      return length;
    },
    append(text) {
      for (let index = 0; index < text.length; index += 1) {
        const unit = text.charCodeAt(index);
        a = Math.imul(a ^ unit, 0x01000193);
        b = Math.imul((b << 5) ^ (b >>> 27) ^ unit, 0x5bd1e995);
      }
      length += text.length;
    },
    reset() {
      length = 0;
      a = seedA;
      b = seedB;
    },
    restOf(whole) {
      if (whole.length < length) return null;
      const other = createTextTrace();
      other.append(whole.slice(0, length));
      return other.mark().hash === this.mark().hash ? whole.slice(length) : null;
    },
    mark() {
      return { length, hash: `${(a >>> 0).toString(16)}-${(b >>> 0).toString(16)}` };
    },
  };
}
