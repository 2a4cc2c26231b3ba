import { createClient } from "../test/support/client.ts";
import { startOpenAiServer } from "../test/support/openai-server.ts";
import { startService } from "../test/support/start-service.ts";
import { median } from "./processes.ts";

const branches = 100;
const samples = 100;

interface Sent {
  readonly message_id: string;
}

/**
 * What reading a page, sending a message and switching to another branch cost at 10 and at 10,000 messages, without
 * branches and with a hundred, which is also told as a ratio to the same without.
 */
export async function benchBranches(long: number): Promise<void> {
  const model = await startOpenAiServer({ respond: () => ({ tokens: ["ok"] }) });
  const service = await startService({
    env: { OPENAI_BASE_URL: model.url, SESSIONS_HISTORY_MESSAGES: "20" },
  });
  const client = createClient(service.url);
  const post = async (path: string, body: object): Promise<Sent> => {
    const { status, body: sent } = await client.send<Sent>("POST", path, body, {
      accept: "application/json",
    });
    if (status !== 200) throw new Error(`${path}: ${status}`);
    return sent;
  };
  const send = (sessionId: string) =>
    post("/chat/message", { session_id: sessionId, message: "and now? 现在呢？" });
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const startedMs = performance.now();
    await work();
    return performance.now() - startedMs;
  };

  /** A session of about so many messages, its branches spread over all of it. */
  const make = async (length: number, count: number) => {
    const sessionId = await client.session("bench");
    const every = Math.max(1, Math.floor(length / 2 / Math.max(1, count)));
    const heads: string[] = [];
    for (let turn = 0; turn < length / 2; turn += 1) {
      const sent = await send(sessionId);
      if (heads.length < count && turn % every === 0) {
        heads.push((await post(`/chat/message/${sent.message_id}/regenerate`, {})).message_id);
      }
    }
    // Short ones have several versions of the same reply.
    while (heads.length < count) {
      const last = heads.at(-1) ?? "";
      heads.push((await post(`/chat/message/${last}/regenerate`, {})).message_id);
    }
    return { sessionId, heads };
  };
  const measure = async (sessionId: string, heads: readonly string[]) => {
    const { body } = await client.get<{ message_count: number }>(`/sessions/${sessionId}`);
    const times: Record<"page" | "send" | "switch", number[]> = { page: [], send: [], switch: [] };
    for (let sample = 0; sample < samples; sample += 1) {
      const offset = Math.floor((Math.max(0, body.message_count - 50) * sample) / samples);
      times.page.push(
        await timed(() => client.get(`/chat/history/${sessionId}?limit=50&offset=${offset}`)),
      );
      times.send.push(await timed(() => send(sessionId)));
      const head = heads[sample % Math.max(1, heads.length)];
      if (head === undefined) continue;
      times.switch.push(
        await timed(() =>
          client.send("PATCH", `/sessions/${sessionId}`, { head_message_id: head }),
        ),
      );
    }
    return times;
  };

  console.log(`length: with branches, ${samples} samples each, in ms`);
  const bases: Record<number, Record<string, number>> = {};
  for (const length of [10, long]) {
    for (const count of [0, branches]) {
      const { sessionId, heads } = await make(length, count);
      const times = await measure(sessionId, heads);
      const figures = Object.entries(times)
        .filter(([, all]) => all.length > 0)
        .map(([name, all]) => {
          const base = (bases[length] ??= {});
          base[name] ??= median(all);
          const ratio = median(all) / (base[name] ?? 1);
          return `${name} ${median(all).toFixed(2)} (${ratio.toFixed(2)})`;
        });
      console.log(`  ${length} messages, ${count} branches: ${figures.join(", ")}`);
    }
  }
  await service.kill();
  await model.close();
}
