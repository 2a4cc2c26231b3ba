import { Agent, request as httpRequest } from "node:http";

interface HonestOptions {
  readonly url: string;
  /** Several people, so that none of them sends more than one may. */
  readonly authorizations: readonly string[];
}

export interface Sample {
  readonly name: string;
  readonly ms: number;
  readonly status: number;
}

/** A person's own conversation. */
interface Place {
  readonly headers: Readonly<Record<string, string>>;
  readonly sessionId: string;
}

/** People who send messages, read their histories and look at their lists, and how long each of that takes. */
export async function createHonestClient({ url, authorizations }: HonestOptions) {
  const agent = new Agent({ keepAlive: true });

  const ask = (headers: Place["headers"], method: string, path: string, body?: object) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const json = body === undefined ? undefined : JSON.stringify(body);
      const outgoing = httpRequest(
        url + path,
        {
          method,
          agent,
          headers: {
            ...headers,
            ...(json !== undefined && { "content-type": "application/json" }),
          },
        },
        (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
          response.once("error", reject);
          response.once("end", () => resolve({ status: response.statusCode ?? 0, text }));
        },
      );
      outgoing.once("error", reject);
      outgoing.end(json);
    });

  const places = await Promise.all(
    authorizations.map(async (authorization): Promise<Place> => {
      const headers = { authorization };
      const { text } = await ask(headers, "POST", "/chat/session", {});
      const { session_id: sessionId } = JSON.parse(text) as { session_id: string };
      return { headers, sessionId };
    }),
  );

  const actions = [
    [
      "message",
      (at: Place) =>
        ask(at.headers, "POST", "/chat/message", {
          session_id: at.sessionId,
          message: "hello there",
        }),
    ],
    ["history", (at: Place) => ask(at.headers, "GET", `/chat/history/${at.sessionId}?limit=20`)],
    ["list", (at: Place) => ask(at.headers, "GET", "/sessions")],
  ] as const;

  return {
    /** So many actions, one after the other, two people at a time; fewer where they take longer than `maxMs`. */
    async use(count: number, maxMs = Infinity): Promise<Sample[]> {
      const samples: Sample[] = [];
      const until = performance.now() + maxMs;
      const person = async (lane: number) => {
        for (let turn = lane; turn < count && performance.now() < until; turn += 2) {
          const place = places[turn % places.length] as Place;
          const [name, act] = actions[
            Math.floor(turn / 2) % actions.length
          ] as (typeof actions)[number];
          const from = performance.now();
          const { status } = await act(place).catch(() => ({ status: 0 }));
          samples.push({ name, ms: performance.now() - from, status });
        }
      };
      await Promise.all([person(0), person(1)]);
      return samples;
    },
    close: () => agent.destroy(),
  };
}

export function percentile(samples: readonly Sample[], share: number): number {
  const sorted = samples.map(({ ms }) => ms).sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
