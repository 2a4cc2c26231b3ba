/** A service that runs: in this process, or in several that this one keeps. */
export interface Served {
  readonly url: string;
  /** Lets everything end in order. Resolves with an exit code, where it knows a worse one than 0. */
  close(reason: string): Promise<number | void>;
  /** Ends at once what this process would leave behind. */
  leave?(): void;
  /** For processes that this one keeps. */
  reopenLogs?(): void;
  changeLogLevel?(): void;
}
