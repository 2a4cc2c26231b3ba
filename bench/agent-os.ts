import { pythonOf, agnoVersions } from "../test/agno/environment.ts";
import { startAgentOs } from "../test/agno/start-agent-os.ts";
import { lastUserText, startOpenAiServer } from "../test/support/openai-server.ts";
import { startService } from "../test/support/start-service.ts";
import { cpuMs, median } from "./processes.ts";

const longTokens = 2_000;
const rounds = 3;
/** One after the other, for the time to the first token and the cost of a turn. */
const singles = 30;
const warmUps = 30;

/** One way to an answer of so many tokens. */
type Way = (tokens: number) => Promise<Response>;

/** Reads an answer to its end; resolves with the milliseconds to the first event with text in it. */
async function read(way: Way, tokens: number): Promise<number> {
  const startedMs = performance.now();
  const response = await way(tokens);
  if (!response.ok || response.body === null) throw new Error(await response.text());
  const decoder = new TextDecoder();
  let tookMs = Number.NaN;
  for await (const chunk of response.body) {
    if (Number.isNaN(tookMs) && decoder.decode(chunk).includes("token1 "))
      tookMs = performance.now() - startedMs;
  }
  if (Number.isNaN(tookMs)) throw new Error("an answer without its first token");
  return tookMs;
}

/** The service in front of a real AgentOS, beside AgentOS alone, in one run: what a token and a turn cost, what the first token waits. */
export async function benchAgentOs(): Promise<void> {
  const version = agnoVersions.at(-1) ?? "";
  const environment = await pythonOf(version);
  if (!("python" in environment)) {
    console.log(`agentos: not measured: ${environment.missing}`);
    return;
  }
  const model = await startOpenAiServer({
    respond(request) {
      const count = Number(/(\d+) tokens/.exec(lastUserText(request))?.[1] ?? 1);
      return { tokens: Array.from({ length: count }, (_, index) => `token${index + 1} `) };
    },
  });
  const agentOs = await startAgentOs({ python: environment.python, modelUrl: model.url });
  const service = await startService({ env: { AGNO_API_URL: agentOs.url } });
  const direct: Way = (tokens) => {
    const form = new URLSearchParams({
      message: `${tokens} tokens`,
      stream: "true",
      background: "true",
      session_id: crypto.randomUUID(),
      user_id: "bench",
    });
    return fetch(`${agentOs.url}/agents/forgetful/runs`, { method: "POST", body: form });
  };
  const through: Way = (tokens) =>
    fetch(`${service.url}/chat/message/stream`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        user_id: `user-${Math.random()}`,
        agent_id: "forgetful",
        message: `${tokens} tokens`,
      }),
    });
  const spent = async (way: Way, tokens: number, times: number) => {
    const before = [cpuMs(service.process), cpuMs(agentOs.process)] as const;
    const first: number[] = [];
    for (let time = 0; time < times; time += 1) first.push(await read(way, tokens));
    return {
      serviceUs: ((cpuMs(service.process) - before[0]) * 1_000) / times,
      agentOsUs: ((cpuMs(agentOs.process) - before[1]) * 1_000) / times,
      firstMs: median(first),
    };
  };
  for (const way of [direct, through]) {
    await spent(way, 1, warmUps);
    await spent(way, longTokens, 2);
  }
  const both = async (way: Way) => ({
    short: await spent(way, 1, singles),
    long: await spent(way, longTokens, 3),
  });
  interface Round {
    readonly direct: Awaited<ReturnType<typeof both>>;
    readonly through: Awaited<ReturnType<typeof both>>;
  }
  const measured: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    measured.push({ direct: await both(direct), through: await both(through) });
  }
  const of = (pick: (round: Round) => number) => median(measured.map(pick));
  const perToken = (load: Round["direct"], of: "serviceUs" | "agentOsUs") =>
    (load.long[of] - load.short[of]) / (longTokens - 1);
  const ms = (value: number) => value.toFixed(1);
  const us = (value: number) => value.toFixed(0);
  console.log(
    `agentos: AgentOS ${version}, SQLite, in its background; ${longTokens} tokens and 1, ${rounds} rounds`,
  );
  console.log(
    `  CPU per token: service ${us(of((each) => perToken(each.through, "serviceUs")))} us, AgentOS ${us(of((each) => perToken(each.through, "agentOsUs")))} us (alone ${us(of((each) => perToken(each.direct, "agentOsUs")))} us)`,
  );
  console.log(
    `  CPU per turn of one token: service ${ms(of((each) => each.through.short.serviceUs / 1_000))} ms, AgentOS ${ms(of((each) => each.through.short.agentOsUs / 1_000))} ms (alone ${ms(of((each) => each.direct.short.agentOsUs / 1_000))} ms)`,
  );
  console.log(
    `  first token, median: AgentOS alone ${ms(of((each) => each.direct.short.firstMs))} ms, through the service ${ms(of((each) => each.through.short.firstMs))} ms, added ${ms(of((each) => each.through.short.firstMs - each.direct.short.firstMs))} ms`,
  );
  await service.stop();
  await agentOs.close();
  await model.close();
}
