import type { GatewayRegistration } from "../../gateway/gateway-registration.ts";
import type { FromWorker, ServiceState, ToWorker, WorkerMetrics } from "./messages.ts";

/** The other workers of this service, as one of them sees them. */
export interface Siblings {
  state(): ServiceState;
  /** The metrics of all, as one text; raises when they do not come in time. */
  scrape(): Promise<string>;
  /** How this worker's own are asked for. */
  tellMetrics(collect: () => Promise<WorkerMetrics>): void;
  /** The registration that is kept for all of them; null where no gateway is configured. */
  readonly gateway: GatewayRegistration | null;
}

/** Of a process that only answers while its loop runs: longer than it gives each worker. */
const patienceMs = 10_000;

interface Post {
  send(message: FromWorker): void;
  on(listener: (message: ToWorker) => void): void;
}

export function createSiblings(post: Post, hasGateway: boolean): Siblings {
  let state: ServiceState = { configured: 0, ready: 0, replaced: 0, gateway: null };
  let collect: () => Promise<WorkerMetrics> = async () => [];
  let count = 0;
  const asked = new Map<number, (text: string) => void>();

  post.on((message) => {
    if (message.do === "hear") {
      ({ state } = message);
    } else if (message.do === "take metrics") {
      asked.get(message.id)?.(message.text);
      asked.delete(message.id);
    } else if (message.do === "tell metrics") {
      const { id } = message;
      // Who cannot tell is left out.
      const answer = (metrics: WorkerMetrics) => post.send({ do: "metrics", id, metrics });
      collect().then(answer, () => answer([]));
    }
  });

  const nobody: ReturnType<GatewayRegistration["status"]> = {
    registered: false,
    path: null,
    instance_id: null,
    advertised: null,
    last_success_at: null,
    failures_in_a_row: 0,
    problem: null,
  };
  return {
    state: () => state,
    scrape() {
      const id = (count += 1);
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          asked.delete(id);
          reject(new Error("the metrics of the other workers did not come"));
        }, patienceMs);
        asked.set(id, (text) => {
          clearTimeout(timer);
          resolve(text);
        });
        post.send({ do: "ask metrics", id });
      });
    },
    tellMetrics(how) {
      collect = how;
    },
    gateway: hasGateway
      ? { start() {}, stop: async () => {}, status: () => state.gateway ?? nobody }
      : null,
  };
}
