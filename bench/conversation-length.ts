import { createClient } from "../test/support/client.ts";
import { startOpenAiServer } from "../test/support/openai-server.ts";
import { startService } from "../test/support/start-service.ts";
import { median, residentMiB } from "./processes.ts";

const long = 10_000;
const samples = 200;

/** What a message costs in a short conversation and in one of 10,000 messages, and what memory that took. */
export async function benchConversationLength(): Promise<void> {
  const model = await startOpenAiServer({ respond: () => ({ tokens: ["ok"] }) });
  const service = await startService({
    env: { OPENAI_BASE_URL: model.url, LIMITS_MESSAGE_RATE_LIMIT: "0" },
  });
  const client = createClient(service.url);
  const send = async (sessionId: string) => {
    const startedMs = performance.now();
    const { status } = await client.send("POST", "/chat/message", {
      session_id: sessionId,
      message: "and now? 现在呢？",
    });
    if (status !== 200) throw new Error(`send: ${status}`);
    return performance.now() - startedMs;
  };
  const longSession = await client.session("bench");
  for (let sent = 0; sent < 1_000; sent += 2) await send(longSession);
  const earlyMiB = residentMiB(service.process);
  for (let sent = 1_000; sent < long; sent += 2) await send(longSession);
  const lateMiB = residentMiB(service.process);

  const shortMs: number[] = [];
  const longMs: number[] = [];
  for (let sample = 0; sample < samples; sample += 1) {
    // A fresh short conversation now and then keeps it at about ten messages.
    const shortSession = sample % 5 === 0 ? await client.session("bench") : undefined;
    if (shortSession !== undefined) current = shortSession;
    shortMs.push(await send(current));
    longMs.push(await send(longSession));
  }
  console.log(
    `length: a message in a conversation of 10 and of ${long} messages, ${samples} samples each`,
  );
  console.log(
    `  median ${median(shortMs).toFixed(2)} ms and ${median(longMs).toFixed(2)} ms, ratio ${(median(longMs) / median(shortMs)).toFixed(2)}`,
  );
  console.log(
    `  memory after 1,000 messages ${earlyMiB.toFixed(0)} MiB, after ${long} ${lateMiB.toFixed(0)} MiB`,
  );
  await service.kill();
  await model.close();
}

let current = "";
