import type { GatewayRegistration } from "../../gateway/gateway-registration.ts";
import type {
  FromWorker,
  Part,
  PartMakers,
  PartName,
  ServiceState,
  ToWorker,
  WorkerParts,
} from "./messages.ts";

/** The other workers of this service, as one of them sees them. */
export interface Siblings {
  state(): ServiceState;
  /** Of all that serve, this one among them; raises when they do not come in time. */
  partsOf<N extends PartName>(name: N): Promise<readonly WorkerParts[N][]>;
  /** How this worker's own are made. */
  tellParts(makers: PartMakers): void;
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
  let makers: PartMakers | null = null;
  let count = 0;
  const asked = new Map<number, (parts: readonly Part[]) => void>();

  post.on((message) => {
    if (message.do === "hear") {
      ({ state } = message);
    } else if (message.do === "take parts") {
      asked.get(message.id)?.(message.parts);
      asked.delete(message.id);
    } else if (message.do === "tell part") {
      const { id, name } = message;
      const answer = (part: Part | null) => post.send({ do: "part", id, part });
      // Who cannot tell is left out.
      if (makers === null) answer(null);
      else makers[name]().then(answer, () => answer(null));
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
    partsOf<N extends PartName>(name: N) {
      const id = (count += 1);
      return new Promise<readonly WorkerParts[N][]>((resolve, reject) => {
        const timer = setTimeout(() => {
          asked.delete(id);
          reject(new Error(`the ${name} of the other workers did not come`));
        }, patienceMs);
        asked.set(id, (parts) => {
          clearTimeout(timer);
          resolve(parts as readonly WorkerParts[N][]);
        });
        post.send({ do: "ask parts", id, name });
      });
    },
    tellParts(how) {
      makers = how;
    },
    gateway: hasGateway
      ? { start() {}, stop: async () => {}, status: () => state.gateway ?? nobody }
      : null,
  };
}
