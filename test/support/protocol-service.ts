import OpenAI from "openai";
import { createClient, type Client } from "./client.ts";
import { lastUserText, startOpenAiServer, type OpenAiServer } from "./openai-server.ts";
import { startService, type TestService } from "./start-service.ts";

/** The service as programs meet it that speak a protocol of others, with a model that the test scripts. */
export interface ProtocolService {
  readonly url: string;
  readonly service: TestService;
  readonly model: OpenAiServer;
  readonly native: Client;
  /** How often the model was called for what holds this text. */
  callsFor(text: string): number;
  close(): Promise<void>;
}

export async function startProtocolService(
  env: Readonly<Record<string, string>> = {},
): Promise<ProtocolService> {
  const model = await startOpenAiServer();
  const service = await startService({ env: { OPENAI_BASE_URL: model.url, ...env } });
  return {
    url: service.url,
    service,
    model,
    native: createClient(service.url),
    callsFor: (text) =>
      model.requests.filter((request) => lastUserText(request).includes(text)).length,
    async close() {
      await service.stop();
      await model.close();
    },
  };
}

/** The official client, for a user where nobody has to prove anything. */
export function openAiClient(
  url: string,
  user: string,
  headers: Readonly<Record<string, string>> = {},
): OpenAI {
  return new OpenAI({
    baseURL: `${url}/v1`,
    apiKey: "none",
    defaultHeaders: { "X-User-Id": user, Authorization: null, ...headers },
  });
}
