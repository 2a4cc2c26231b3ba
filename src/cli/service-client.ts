import { ConnectionError, createChatClient } from "../../packages/client/src/index.ts";

interface Access {
  readonly url: string;
  readonly token: string | null;
  readonly apiKey: string | null;
  /** Who is talking; without it each call says whose data it is about. */
  readonly userId?: string;
}

/** Nobody answers at the address, or nobody of ours. */
export class ServiceUnreachable extends Error {
  override readonly name = "ServiceUnreachable";
}

export type ServiceClient = ReturnType<typeof connectTo>;

/** A client of the service at an address; whoever names a wrong one is told so at once, and what to do about it. */
export function connectTo({ url, token, apiKey, userId }: Access) {
  const address = url.replace(/\/+$/, "");
  let wasHeard = false;
  const client = createChatClient({
    baseUrl: address,
    ...(token !== null && { token }),
    ...(apiKey !== null && { apiKey }),
    ...(userId !== undefined && { userId }),
    timeoutMs: 60_000,
    async around(_call, send) {
      try {
        const response = await send();
        const isOurs = response.headers.get("x-service") !== null;
        // Whatever stands in front of the service may say that it cannot be reached.
        if (!response.ok && !isOurs && response.status < 500) {
          throw new ServiceUnreachable(
            `${address} answers ${response.status}, but is not a chat service. Name its address with --url.`,
          );
        }
        wasHeard = true;
        return response;
      } catch (error) {
        if (error instanceof ServiceUnreachable) throw error;
        const message = `Nobody answers at ${address}. Start the service (chat-service serve), or name another with --url.`;
        // One that was there may come back.
        throw wasHeard
          ? new ConnectionError(message, { cause: error })
          : new ServiceUnreachable(message, { cause: error });
      }
    },
  });
  return { ...client, address };
}
