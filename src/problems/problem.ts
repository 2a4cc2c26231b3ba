import {
  problemCatalogue,
  type Language,
  type ProblemData,
  type ProblemType,
} from "./catalogue.ts";

/** One fault of one member of a request, in both languages; `path` is a JSON pointer such as `/session_id`. */
export interface ProblemDetail {
  readonly path: string;
  readonly message: string;
  readonly zh: string;
}

export const isRequired = { message: "is required", zh: "必填" } as const;

/** What may stand there instead. */
export function mustBeOneOf(values: readonly string[]): Omit<ProblemDetail, "path"> {
  const all = values.join(", ");
  return { message: `must be one of ${all}`, zh: `必须是以下之一：${all}` };
}

interface ProblemOptions {
  readonly details?: readonly ProblemDetail[];
  /** Sent as `Retry-After`, in whole seconds. */
  readonly retryAfterSeconds?: number;
  /** Goes to the log, never to the caller. */
  readonly cause?: unknown;
}

/**
 * An error that the caller is told about: it owns its status and stable type. Anything thrown that is
 * not a Problem is a bug and becomes `internal_error`, with its stack in the log only.
 */
export class Problem<T extends ProblemType = ProblemType> extends Error {
  override readonly name = "Problem";
  readonly type: T;
  /** What it was built from; enough to build it again in another language. */
  readonly data: ProblemData<T>;
  readonly status: number;
  readonly details: readonly ProblemDetail[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly #texts: Record<Language, string>;

  constructor(type: T, data: ProblemData<T>, options: ProblemOptions = {}) {
    // The catalogue ties `data` to `type`; TypeScript cannot follow that through the union.
    const definition = problemCatalogue[type] as {
      status: number;
      texts: (data: ProblemData<T>) => Record<Language, string>;
    };
    const texts = definition.texts(data);
    super(texts.en, options.cause === undefined ? undefined : { cause: options.cause });
    this.type = type;
    this.data = data;
    this.status = definition.status;
    this.details = options.details;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.#texts = texts;
  }

  /** What follows from something being away, which whoever watches it tells the log. */
  get isOutage(): boolean {
    const { what } = this.data as { readonly what?: string };
    return this.type === "storage_unavailable" && what !== "disk";
  }

  /** The message for people, in their language. */
  text(language: Language): string {
    return this.#texts[language];
  }

  /** What is wrong with which member, in their language; undefined where it is about none. */
  faults(language: Language): readonly { path: string; message: string }[] | undefined {
    return this.details?.map(({ path, message, zh }) => ({
      path,
      message: language === "zh" ? zh : message,
    }));
  }
}
