/**
 * What nodes tell each other while they run: small messages, in the order in which one node sends them, now or never.
 * Whoever needs more than that has it in the database and asks again when a node is heard of anew.
 */
export interface Wire {
  /** Whether other nodes are heard of: nothing needs to be told where there are none. */
  hasPeers(): boolean;
  /**
   * Tells one node, or all others where `to` is null. True when it is handed over to everybody who listens now; false
   * when it is lost. Many at once cost as much as one.
   */
  send(to: string | null, kind: string, body: unknown): Promise<boolean>;
  /** Calls `listener` for each message of this kind, never for this node's own. Returns the end of it. */
  on(kind: string, listener: (body: unknown, from: string) => void): () => void;
  /**
   * Calls `listener` when a node is heard of that was not before, or was cut off, as this one may have been: what was
   * sent meanwhile is lost. Returns the end of it.
   */
  onPeer(listener: (node: string) => void): () => void;
  /** Calls `listener` when this node is cut off from all others. Returns the end of it. */
  onDown(listener: () => void): () => void;
  /** What a probe may show. */
  status(): { readonly connected: boolean; readonly peers: number };
  /** May be called twice. */
  close(): Promise<void>;
}
