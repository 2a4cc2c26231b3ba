import type { RawValue } from "./parse-value.ts";

/** Where an effective value came from. */
export type Origin =
  | { readonly source: "default" }
  | { readonly source: "file"; readonly path: string; readonly line: number }
  | { readonly source: "environment"; readonly name: string };

/** What one source says about one setting. */
export interface GivenValue {
  /** `section.key` of a known setting. */
  readonly path: string;
  readonly raw: RawValue;
  readonly origin: Origin;
}

/** What one source says altogether; faults are sentences for people, without secrets. */
export interface GivenValues {
  readonly values: readonly GivenValue[];
  readonly faults: readonly string[];
}

/** An origin in words, as it stands in messages. */
export function describeOrigin(origin: Origin): string {
  switch (origin.source) {
    case "default":
      return "default";
    case "file":
      return `${origin.path} line ${origin.line}`;
    case "environment":
      return `environment ${origin.name}`;
  }
}
