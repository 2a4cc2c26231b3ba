import type { Wire } from "../../src/nodes/wire.ts";

/** Wires of nodes in one process: as PostgreSQL carries messages, and cut when a test says so. */
export function createFakeNetwork() {
  interface Node {
    readonly id: string;
    isCut: boolean;
    readonly listeners: Map<string, Set<(body: unknown, from: string) => void>>;
    readonly onPeer: Set<(node: string) => void>;
    readonly onDown: Set<() => void>;
  }
  const nodes: Node[] = [];
  const sent: { readonly from: string; readonly to: string | null; readonly kind: string }[] = [];
  const reachable = (node: Node) =>
    node.isCut ? [] : nodes.filter((other) => other !== node && !other.isCut);
  const meet = (node: Node) => {
    for (const other of reachable(node)) {
      for (const tell of other.onPeer) tell(node.id);
      for (const tell of node.onPeer) tell(other.id);
    }
  };

  let waiting: { readonly deliver: () => void; readonly resolve: () => void }[] = [];
  /** What is sent at the same time arrives in one piece: nothing happens between one message and the next. */
  const carry = (deliver: () => void) =>
    new Promise<void>((resolve) => {
      if (waiting.push({ deliver, resolve }) > 1) return;
      setImmediate(() => {
        const arrived = waiting;
        waiting = [];
        for (const each of arrived) each.deliver();
        for (const each of arrived) each.resolve();
      });
    });

  return {
    /** What was sent so far. */
    sent,
    join(id: string): Wire & { cut(): void; mend(): void } {
      const node: Node = {
        id,
        isCut: false,
        listeners: new Map(),
        onPeer: new Set(),
        onDown: new Set(),
      };
      nodes.push(node);
      const subscription = <T>(set: Set<T>, listener: T) => {
        set.add(listener);
        return () => void set.delete(listener);
      };
      return {
        hasPeers: () => reachable(node).length > 0,
        async send(to, kind, body) {
          if (node.isCut) return false;
          sent.push({ from: id, to, kind });
          const text = JSON.stringify(body);
          const hearers = reachable(node).filter((other) => to === null || other.id === to);
          await carry(() => {
            for (const other of hearers) {
              if (other.isCut) continue;
              for (const listener of other.listeners.get(kind) ?? [])
                listener(JSON.parse(text), id);
            }
          });
          return true;
        },
        on(kind, listener) {
          const set = node.listeners.get(kind) ?? new Set();
          node.listeners.set(kind, set);
          return subscription(set, listener);
        },
        onPeer: (listener) => subscription(node.onPeer, listener),
        onDown: (listener) => subscription(node.onDown, listener),
        status: () => ({ connected: !node.isCut, peers: reachable(node).length }),
        close: async () => {},
        cut() {
          node.isCut = true;
          for (const tell of node.onDown) tell();
        },
        mend() {
          node.isCut = false;
          meet(node);
        },
      };
    },
  };
}
