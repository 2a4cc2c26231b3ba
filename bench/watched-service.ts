import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startBaseService } from "../test/support/base-service-server.ts";
import { createClient } from "../test/support/client.ts";
import { startOpenAiServer } from "../test/support/openai-server.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { startRedis } from "../test/support/redis.ts";
import { startService } from "../test/support/start-service.ts";

/**
 * A service with everything connected (PostgreSQL, Redis, a model, speech, a Base Service), a Prometheus that watches it,
 * and `users` who write, read, listen and rate at the pace of people until `signal` says so. Resolves when it is running,
 * with the address of the Prometheus.
 */
export async function startWatchedService(users: number, signal: AbortSignal) {
  const [postgres, redis, base] = await Promise.all([
    startPostgres(),
    startRedis(),
    startBaseService(),
  ]);
  if (postgres === null || redis === null) throw new Error("needs PostgreSQL and Redis");
  const answer = "There is a short answer and a long one. This is the short one, for now. ".split(
    /(?<= )/,
  );
  const model = await startOpenAiServer({
    respond: () =>
      Math.random() < 0.02
        ? { tokens: ["Well, "], fault: { kind: "die" } }
        : { tokens: answer, delayMs: 60, usage: { prompt_tokens: 180, completion_tokens: 16 } },
  });
  const service = await startService({
    env: {
      SERVICE_ENVIRONMENT: "production",
      DATABASE_URL: await postgres.freshDatabase(),
      REDIS_URL: redis.url,
      MODELS_API_URL: model.url,
      MODELS_DEFAULT_MODEL: "gpt-test",
      AUTH_MODE: "base-service",
      BASE_SERVICE_URL: base.url,
      VOICE_TTS_PROVIDER: "flite",
      LOGGING_FORMAT: "json",
    },
  });
  const data = await mkdtemp(join(tmpdir(), "chat-prometheus-"));
  const configuration = {
    global: { scrape_interval: "5s" },
    scrape_configs: [
      { job_name: "chat-service", static_configs: [{ targets: [new URL(service.url).host] }] },
    ],
  };
  await writeFile(join(data, "prometheus.yml"), JSON.stringify(configuration));
  const prometheus = spawn(
    "prometheus",
    [
      `--config.file=${data}/prometheus.yml`,
      `--storage.tsdb.path=${data}/data`,
      "--web.listen-address=127.0.0.1:19090",
    ],
    { stdio: "ignore" },
  );
  const everybody = Array.from({ length: users }, async (_none, index) => {
    const token = `token-${index}`;
    base.setUser(token, { id: `user-${index}`, username: `User ${index}`, role: "user" });
    const client = createClient(service.url, { authorization: `Bearer ${token}` });
    await delay(Math.random() * 10_000);
    for (let turn = 0; !signal.aborted; turn += 1) {
      const sessionId = await client.session(`user-${index}`);
      for (let message = 0; message < 4 && !signal.aborted; message += 1) {
        const stream = await client.stream({ session_id: sessionId, message: "Please tell me." });
        const events = await stream.all();
        const messageId = events[0]?.["reply_message_id"];
        const dice = Math.random();
        if (dice < 0.1) {
          await client.send("PUT", `/chat/message/${String(messageId)}/feedback`, { rating: "up" });
        } else if (dice < 0.2) {
          await client.send("POST", "/chat/voice/synthesize", { text: "This is the short one." });
        } else if (dice < 0.25) {
          // Somebody has an old link.
          await client.get(`/chat/history/${crypto.randomUUID()}`);
        } else if (dice < 0.4) {
          await client.get(`/chat/history/${sessionId}`);
        }
        await delay(2_000 + Math.random() * 6_000);
      }
      if (turn % 3 === 2) await client.send("DELETE", `/sessions/${sessionId}`);
    }
  });
  return {
    url: "http://127.0.0.1:19090",
    async stop() {
      await Promise.allSettled(everybody);
      prometheus.kill();
      await service.stop();
      await Promise.all([model.close(), base.stop(), redis.stop(), postgres.stop()]);
      await rm(data, { recursive: true, force: true });
    },
  };
}
