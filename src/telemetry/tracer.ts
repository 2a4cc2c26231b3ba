export type SpanAttributes = Readonly<
  Record<string, string | number | boolean | string[] | undefined>
>;

/** One piece of work in a trace. Never carries message texts, arguments or results. */
export interface Span {
  /** W3C trace context for what this work calls; where nothing is traced, the parent's own. */
  readonly traceparent: string | undefined;
  /** Members that are undefined are left out. */
  set(attributes: SpanAttributes): void;
  /** The work went wrong; `type` is a stable word, never an error's text. */
  fail(type: string): void;
  /** Must be called once; what is set later is lost. */
  end(): void;
}

/** Where traces go. Methods never raise and never wait for the collector. */
export interface Tracer {
  /** False: spans are nothing, and callers may save themselves the work. */
  readonly isOn: boolean;
  /** `parent` is a W3C `traceparent`; undefined or malformed: a new trace. */
  start(
    name: string,
    kind: "server" | "client" | "internal",
    parent: string | undefined,
    attributes: SpanAttributes,
  ): Span;
  /** Sends what is waiting, for at most some seconds. May be called twice. */
  close(): Promise<void>;
}

/** Traces nothing and passes the caller's trace context on. */
export const noTracer: Tracer = {
  isOn: false,
  start: (_name, _kind, parent) => ({ traceparent: parent, set() {}, fail() {}, end() {} }),
  async close() {},
};
