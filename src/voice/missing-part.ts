/** Something optional that is not on this machine. */
export interface MissingPart {
  readonly name: string;
  /** What does not work without it. */
  readonly effect: string;
  /** The command that brings it. */
  readonly install: string;
}
