/** What is wrong, and what mends it: a command, a setting. Both for operators, without secrets. */
export interface Explanation {
  found: string;
  remedy: string;
}

/**
 * What keeps a command from starting, in one sentence for whoever runs it. The cause, with its stack, is for the log at
 * DEBUG alone; anything else that is thrown at a start is a bug.
 */
export class StartFault extends Error {
  override readonly name: string = "StartFault";
  readonly why: Explanation;

  constructor(why: Explanation | string, options?: ErrorOptions) {
    super(typeof why === "string" ? why : `${why.found}. ${why.remedy}`, options);
    this.why = typeof why === "string" ? { found: why, remedy: "" } : why;
  }
}
