import { createHash } from "node:crypto";
import { createClient, type Client } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";
import { answerFrontEnds } from "./model.ts";

/** The service as front ends meet it: one key for all their users, whose closed connection means Stop. */
export interface FrontEndStage {
  readonly service: TestService;
  readonly model: OpenAiServer;
  readonly apiKey: string;
  /** Sees everything. */
  readonly operator: Client;
  close(): Promise<void>;
}

export async function openFrontEndStage(): Promise<FrontEndStage> {
  const key = (name: string, more: object) => ({
    name,
    sha256: createHash("sha256").update(`the-key-of-${name}`).digest("hex"),
    user_id: name,
    ...more,
  });
  const model = await startOpenAiServer({ respond: answerFrontEnds });
  const service = await startService({
    env: {
      OPENAI_BASE_URL: model.url,
      AUTH_MODE: "jwt",
      SECURITY_SECRET_KEY: "a secret for tests, 32 bytes or more",
      AUTH_API_KEYS: JSON.stringify([
        key("front", { acts_for_users: true, on_disconnect: "cancel" }),
        key("operator", { roles: ["admin"] }),
      ]),
    },
  });
  return {
    service,
    model,
    apiKey: "the-key-of-front",
    operator: createClient(service.url, { "x-api-key": "the-key-of-operator" }),
    async close() {
      await service.stop();
      await model.close();
    },
  };
}
