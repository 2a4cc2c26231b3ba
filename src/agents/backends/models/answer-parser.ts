import type { CreateParser, EventParser, ParserSink } from "../../upstream/event-reader.ts";
import { UpstreamError } from "../../upstream/upstream-error.ts";

/** One JSON object of a model's answer, or the sign that no more follow. */
export interface AnswerDocument {
  /** The event's name, where it has one. */
  readonly event: string | null;
  /** Undefined for the sign of the end. */
  readonly value: Readonly<Record<string, unknown>> | undefined;
}

/** `[DONE]`. */
export const doneDocument: AnswerDocument = { event: null, value: undefined };

const lineFeed = 10;

/**
 * Finds the JSON objects in an answer, in whichever way a server or what stands before it wraps them: server-sent
 * events by the book (any line end, several data lines, comments, names), events with a missing space or without the
 * blank line between them, several objects in one line, one object a line without `data:`, or one plain JSON body.
 * A proper beginning of a JSON object is never itself one, so a line that parses is a whole object. What holds no
 * object is a sign of life and nothing else; an object that is damaged is a fault, because text is lost with it.
 */
export const createAnswerParser: CreateParser<AnswerDocument> = (sink, maxLength) =>
  new AnswerParser(sink, maxLength);

class AnswerParser implements EventParser {
  readonly #sink: ParserSink<AnswerDocument>;
  readonly #maxLength: number;
  /** The line that is not yet complete. */
  #pieces: string[] = [];
  /** Lines of an object that is not yet complete. */
  #held: string[] = [];
  /** Of both. */
  #length = 0;
  /** The held lines had no `data:` before them: then a blank line is no end. */
  #isBare = false;
  #event: string | null = null;
  #skipsLineFeed = false;

  constructor(sink: ParserSink<AnswerDocument>, maxLength: number) {
    this.#sink = sink;
    this.#maxLength = maxLength;
  }

  feed(text: string): void {
    let start = 0;
    if (this.#skipsLineFeed && text !== "") {
      this.#skipsLineFeed = false;
      if (text.charCodeAt(0) === lineFeed) start = 1;
    }
    let carriageReturn = text.indexOf("\r", start);
    for (;;) {
      const newline = text.indexOf("\n", start);
      const isReturn = carriageReturn !== -1 && (newline === -1 || carriageReturn < newline);
      const end = isReturn ? carriageReturn : newline;
      if (end === -1) break;
      this.#line(this.#completed(text.slice(start, end)));
      start = end + 1;
      if (isReturn) {
        if (start === text.length) this.#skipsLineFeed = true;
        else if (text.charCodeAt(start) === lineFeed) start += 1;
        carriageReturn = text.indexOf("\r", start);
      }
    }
    if (start < text.length) {
      this.#pieces.push(text.slice(start));
      this.#grow(text.length - start);
    }
  }

  end(): void {
    const last = this.#completed("");
    if (last !== "") this.#line(last);
    // What is incomplete now was cut off: that is for the reader, who misses the end.
    this.#settle(true);
  }

  #completed(rest: string): string {
    if (this.#pieces.length === 0) return rest;
    const line = this.#pieces.join("") + rest;
    this.#length -= line.length - rest.length;
    this.#pieces = [];
    return line;
  }

  #grow(by: number): void {
    this.#length += by;
    if (this.#length > this.#maxLength) {
      throw new UpstreamError("too_large", `one event had more than ${this.#maxLength} characters`);
    }
  }

  #line(line: string): void {
    if (line.startsWith("data:")) this.#data(line.slice(5));
    else if (line === "") this.#blank();
    else this.#unusual(line.trim());
  }

  /** Whatever does not begin with `data:`; trimming also takes a byte order mark away. */
  #unusual(line: string): void {
    if (line === "") return this.#blank();
    const field = /^(data|event|id|retry)\s*(?::|$)/i.exec(line);
    if (field !== null) {
      const text = line.slice(field[0].length);
      if (field[1]?.toLowerCase() === "data") return this.#data(text);
      if (field[1]?.toLowerCase() === "event") this.#event = text.trim();
      return this.#sink.onLife();
    }
    if (line.startsWith(":")) return this.#sink.onLife();
    if (this.#held.length > 0) return this.#hold(line);
    this.#begin(line, true);
  }

  #data(given: string): void {
    // By the book the lines of one event are joined.
    if (this.#held.length === 0) return this.#begin(given, false);
    const text = given.trim();
    // (In quotes it may be a word of a list that the object holds.)
    if (this.#isBare || (isDone(text) && !text.startsWith('"'))) {
      this.#settle(false);
      return this.#begin(text, false);
    }
    this.#hold(text);
  }

  /** The first line of an object, mostly the only one. */
  #begin(text: string, isBare: boolean): void {
    const first = text.charCodeAt(0) === 32 ? text.charAt(1) : text.charAt(0);
    if (first === "{" || first === "[") {
      const value = parse(text);
      if (value !== undefined) return this.#emit(value, text.length);
    }
    const trimmed = text.trim();
    if (isDone(trimmed)) return this.#sink.onEvent(doneDocument, 0);
    // Wrapped twice by something between.
    if (trimmed.startsWith("data:")) return this.#begin(trimmed.slice(5), isBare);
    if (!/^[[{]/.test(trimmed)) {
      // In words, by a proxy or a server that has no more time for an object.
      const isReport = this.#event?.toLowerCase() === "error" && trimmed !== "" && !isBare;
      return isReport ? this.#emit({ message: trimmed }, trimmed.length) : this.#sink.onLife();
    }
    this.#isBare = isBare;
    this.#hold(trimmed);
  }

  #hold(line: string): void {
    this.#held.push(line);
    this.#grow(line.length + 1);
    this.#sink.onLife();
  }

  #blank(): void {
    if (this.#held.length > 0 && !this.#isBare) this.#settle(false);
    this.#event = null;
  }

  /** The held lines are all there is of their object. */
  #settle(isCutOff: boolean): void {
    if (this.#held.length === 0) return;
    const text = this.#held.join("\n");
    this.#held = [];
    this.#length = 0;
    const whole = parse(text);
    const { found, isDamaged } =
      whole === undefined ? objectsIn(text) : { found: [whole], isDamaged: false };
    for (const value of found) this.#emit(value, text.length);
    if (isDamaged && !isCutOff) {
      throw new UpstreamError("malformed", "an event is not JSON");
    }
  }

  #emit(value: unknown, length: number): void {
    if (Array.isArray(value)) {
      for (const each of value as readonly unknown[]) this.#emit(each, length);
    } else if (typeof value === "object" && value !== null) {
      const event = this.#event;
      this.#sink.onEvent({ event, value: value as Readonly<Record<string, unknown>> }, length);
    } else {
      this.#sink.onLife();
    }
  }
}

function isDone(text: string): boolean {
  return /^"?\[DONE\]"?$/i.test(text);
}

/** Undefined for what is no JSON; its parser's message would quote the text. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The objects in a text that is more than one: between braces that belong together, outside of strings. */
function objectsIn(text: string): { found: unknown[]; isDamaged: boolean } {
  const found: unknown[] = [];
  let depth = 0;
  let start = 0;
  let inString = false;
  let isDamaged = false;
  for (let index = 0; index < text.length; index += 1) {
    const sign = text[index];
    if (inString) {
      if (sign === "\\") index += 1;
      else if (sign === '"') inString = false;
    } else if (sign === '"') {
      inString = depth > 0;
    } else if (sign === "{") {
      if (depth === 0) start = index;
      depth += 1;
    } else if (sign === "}" && depth > 0) {
      depth -= 1;
      if (depth > 0) continue;
      const value = parse(text.slice(start, index + 1));
      if (value === undefined) isDamaged = true;
      else found.push(value);
    }
  }
  return { found, isDamaged: isDamaged || depth > 0 };
}
