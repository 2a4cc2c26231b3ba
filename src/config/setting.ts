import type { Rule } from "./rules.ts";

// Timers of Node run at once when set further ahead than 2^31 ms, so that what they wait for is bounded.
export const day = 86_400;
export const dayInMilliseconds = 1000 * day;

/**
 * The building blocks of the settings table (`settings.ts`): what a value may be, its default, what it means.
 * The loader, `chat-service config`, `config.example.yaml` and `docs/configuration.md` all read this table.
 */
export interface Setting<T = unknown> {
  readonly kind:
    | "text"
    | "secret"
    | "integer"
    | "number"
    | "boolean"
    | "bytes"
    | "choice"
    | "list"
    | "json";
  readonly default: T;
  readonly description: string;
  /** Environment names beside SECTION_KEY, first match wins after it. */
  readonly env?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  /** For `choice`. */
  readonly choices?: readonly string[];
  /** For `text` and `secret`: what the text must be; for `list`: what each item must be. */
  readonly rule?: Rule;
  /** A secret that is sent in a header, which carries only ASCII. */
  readonly isHeader?: boolean;
  /** For `json`: says what is wrong with a parsed value, or returns null. */
  readonly check?: (value: unknown) => string | null;
  /** For `json`: names of members that are masked wherever the configuration is shown. */
  readonly secretMembers?: readonly string[];
  /** For `json`: a value to show in the documentation. */
  readonly example?: T;
}

/** Of `config.yaml`, by their names. */
export type Sections = Readonly<Record<string, Readonly<Record<string, Setting>>>>;

interface Extra {
  readonly env?: readonly string[];
}

interface Ruled extends Extra {
  readonly rule?: Rule;
  readonly isHeader?: boolean;
}

interface Bounds extends Extra {
  readonly minimum?: number;
  readonly maximum?: number;
}

interface Structured<T> extends Extra {
  readonly secretMembers?: readonly string[];
  readonly example?: T;
}

/** Free text; null when unset and no default. */
export function text(description: string, fallback: string, extra?: Ruled): Setting<string>;
export function text(description: string, fallback: null, extra?: Ruled): Setting<string | null>;
export function text(
  description: string,
  fallback: string | null,
  extra: Ruled = {},
): Setting<string> | Setting<string | null> {
  return { kind: "text", default: fallback as string, description, ...extra };
}

/** Text that is masked wherever the configuration is shown; of a URL only the password is masked. */
export function secret(description: string, extra: Ruled = {}): Setting<string | null> {
  return { kind: "secret", default: null, description, ...extra };
}

/** A whole number, from 0 unless `minimum` says otherwise. */
export function integer(description: string, fallback: number, extra?: Bounds): Setting<number>;
export function integer(
  description: string,
  fallback: null,
  extra?: Bounds,
): Setting<number | null>;
export function integer(
  description: string,
  fallback: number | null,
  extra: Bounds = {},
): Setting<number> | Setting<number | null> {
  return { kind: "integer", default: fallback as number, description, minimum: 0, ...extra };
}

/** A number that may have a fraction, from 0 unless `minimum` says otherwise. */
export function number(description: string, fallback: number, extra: Bounds = {}): Setting<number> {
  return { kind: "number", default: fallback, description, minimum: 0, ...extra };
}

export function boolean(
  description: string,
  fallback: boolean,
  extra: Extra = {},
): Setting<boolean> {
  return { kind: "boolean", default: fallback, description, ...extra };
}

/** A size in bytes, written as 1048576, 64KB, 10MB or 1GB (powers of 1024). */
export function bytes(description: string, fallback: number, extra: Bounds = {}): Setting<number> {
  return { kind: "bytes", default: fallback, description, minimum: 0, ...extra };
}

export function choice<const C extends readonly string[]>(
  description: string,
  choices: C,
  fallback: C[number],
  extra: Extra = {},
): Setting<C[number]> {
  return { kind: "choice", default: fallback, description, choices, ...extra };
}

/** Several texts: a YAML list, a JSON array, or comma-separated. */
export function list(
  description: string,
  fallback: readonly string[],
  extra: Ruled = {},
): Setting<readonly string[]> {
  return { kind: "list", default: fallback, description, ...extra };
}

/** A structure: YAML, or JSON in the environment. */
export function json<T>(
  description: string,
  fallback: T,
  check: (value: unknown) => string | null,
  extra: Structured<T> = {},
): Setting<T> {
  return { kind: "json", default: fallback, description, check, ...extra };
}
