import type { Identity } from "../identity/identity.ts";

type Target = Readonly<Record<string, string>>;

/** One line of the audit log: who reached what of whom, or did what only administrators may. Never what anybody wrote. */
export interface AuditEntry {
  /** Null: nobody has proven to be anybody. */
  readonly actor: string | null;
  readonly keyName: string | null;
  /** Method and pattern of the route. */
  readonly action: string;
  /** On whom; null: on nobody alone. */
  readonly subject: string | null;
  /** Ids. */
  readonly target: Target;
  readonly requestId: string;
  readonly address: string;
  /** `allowed`: written before it was done, which it could not be without; `failed`: it was not done after all. */
  readonly outcome: "allowed" | "failed";
  /** Of the answer, where it failed. */
  readonly status: number | null;
}

export interface AuditTrail {
  /**
   * Resolves when the entry is durable. `isRepeated`: the same again within a minute is not written again. Raises
   * `storage_unavailable`, and then what was to be noted is not done.
   */
  record(entry: AuditEntry, isRepeated: boolean): Promise<void>;
}

/** Of one request or connection. */
export interface RequestAudit {
  /** To be awaited before anything is done or shown. */
  note(subject: string | null, target?: Target): Promise<void>;
  /** The same as an entry, for those who store it together with what they do. */
  entry(subject: string | null, target?: Target): AuditEntry;
  /** What was noted was not done after all. */
  failed(status: number): Promise<void>;
}

type About = Pick<AuditEntry, "action" | "requestId" | "address"> & {
  readonly target: () => Target;
  readonly identity: () => Identity | null;
  /** It shows something, or is one of many of its kind: the same again within a minute says nothing new. */
  readonly isRepeated: boolean;
};

export function createRequestAudit(trail: AuditTrail, about: About): RequestAudit {
  /** Most requests are the caller's own, and note nothing. */
  let noted: Map<string, { readonly subject: string | null; readonly target: Target }> | undefined;
  const entryOf = (subject: string | null, target: Target) => ({
    actor: about.identity()?.userId ?? null,
    keyName: about.identity()?.keyName ?? null,
    action: about.action,
    subject,
    target: { ...about.target(), ...target },
    requestId: about.requestId,
    address: about.address,
    outcome: "allowed" as const,
    status: null,
  });
  return {
    entry: (subject, target = {}) => entryOf(subject, target),
    async note(subject, target = {}) {
      const key = JSON.stringify([subject, target]);
      if (noted?.has(key) === true) return;
      await trail.record(entryOf(subject, target), about.isRepeated && subject !== null);
      noted ??= new Map();
      noted.set(key, { subject, target });
    },
    async failed(status) {
      for (const { subject, target } of noted?.values() ?? []) {
        await trail.record({ ...entryOf(subject, target), outcome: "failed", status }, false);
      }
    },
  };
}
