// LibreChat is no package; what it asks models with is one: @librechat/agents, from the registry. This plays a conversation
// through it as LibreChat's server does for a custom endpoint (its packages/api/src/endpoints/custom/initialize.ts: `user` is
// the user's id, `titleMethod` is "completion", contents are texts; its utils/env.ts fills in the headers of docs/openai.md),
// and writes down what is sent (test/protocols/recorded):
//   node test/front-ends/record-librechat.ts
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { writeRecording } from "./recording.ts";
import { startRequestRecorder } from "./request-recorder.ts";
import { openFrontEndStage } from "./stage.ts";

const version = process.env["LIBRECHAT_AGENTS_VERSION"] ?? "3.9.2";
const folder = join(import.meta.dirname, `../../.cache/librechat-agents-${version}`);

interface Said {
  readonly role: "user" | "assistant";
  readonly content: string;
}

/** What is used of it. */
interface Agents {
  readonly Run: {
    create(config: object): Promise<{
      processStream(input: object, config: object): Promise<{ text?: string }[] | undefined>;
      generateTitle(options: object): Promise<{ title?: string }>;
    }>;
  };
  readonly formatAgentMessages: (payload: readonly Said[]) => { messages: unknown[] };
  readonly formatContentStrings: (messages: unknown[]) => unknown[];
}

if (!existsSync(join(folder, "node_modules"))) {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), '{"private": true}');
  const run = promisify(execFile);
  await run("npm", ["install", "--ignore-scripts", "--no-audit", `@librechat/agents@${version}`], {
    cwd: folder,
  });
}
const entry = createRequire(join(folder, "package.json")).resolve("@librechat/agents");
const { Run, formatAgentMessages, formatContentStrings } = (await import(
  pathToFileURL(entry).href
)) as Agents;

const stage = await openFrontEndStage();
const recorder = await startRequestRecorder(stage.service.url);

/** A person's conversation, as LibreChat keeps it. */
function conversation(userId: string) {
  const conversationId = randomUUID();
  const clientOptions = (streaming: boolean) => ({
    model: "general-chat",
    user: userId,
    apiKey: stage.apiKey,
    ...(streaming && { streaming: true, streamUsage: true }),
    configuration: {
      baseURL: `${recorder.url}/v1`,
      defaultHeaders: { "X-Conversation-Id": conversationId, "X-User-Id": userId },
    },
  });
  const start = async (history: readonly Said[], signal?: AbortSignal) => {
    const run = await Run.create({
      runId: randomUUID(),
      graphConfig: {
        type: "standard",
        llmConfig: { provider: "openAI", ...clientOptions(true) },
        instructions: "",
      },
      returnContent: true,
      skipCleanup: true,
    });
    const { messages } = formatAgentMessages(history);
    const content = await run.processStream(
      { messages: formatContentStrings(messages) },
      {
        configurable: { thread_id: conversationId, user_id: userId },
        version: "v2",
        ...(signal && { signal }),
      },
    );
    const text = (content ?? []).map((part) => part.text ?? "").join("");
    return { run, text };
  };
  return {
    ask: start,
    async title(question: string, { run, text }: Awaited<ReturnType<typeof start>>) {
      await run.generateTitle({
        provider: "openAI",
        inputText: question,
        contentParts: [{ type: "text", text }],
        clientOptions: clientOptions(false),
        titleMethod: "completion",
        chainOptions: { configurable: { thread_id: conversationId, user_id: userId } },
      });
    },
  };
}

async function scene<T>(name: string, act: () => Promise<T>): Promise<T> {
  recorder.begin(name);
  const result = await act();
  await recorder.settled();
  console.log(name, recorder.requests.filter((each) => each.scene === name).length);
  return result;
}

const user = (content: string): Said => ({ role: "user", content });
const assistant = (content: string): Said => ({ role: "assistant", content });

try {
  const ada = conversation(randomUUID().replaceAll("-", "").slice(0, 24));
  const question = "Which harbour is the oldest that is still in use?";
  const first = await scene("a chat begins", async () => {
    const answered = await ada.ask([user(question)]);
    await ada.title(question, answered);
    return answered;
  });
  const before = [user(question), assistant(first.text)];
  await scene("it goes on", () => ada.ask([...before, user("And in northern Europe?")]));
  await scene("an answer is asked for again", () =>
    ada.ask([...before, user("And in northern Europe?")]),
  );
  const south = await scene("a message is edited", () =>
    ada.ask([...before, user("And in the south?")]),
  );
  const then = [...before, user("And in the south?"), assistant(south.text)];
  await scene("the first message is edited", () => ada.ask([user("Which bridge is the oldest?")]));
  const stop = new AbortController();
  await scene("an answer is stopped", async () => {
    const stopped = ada.ask([...then, user("Count slowly")], stop.signal);
    setTimeout(() => stop.abort(), 3_000);
    await stopped.catch(() => undefined);
  });
  const left = recorder.requests.at(-1)?.left ?? "";
  await scene("it goes on after that", () =>
    ada.ask([...then, user("Count slowly"), assistant(left), user("Thank you")]),
  );
  const bob = conversation(randomUUID().replaceAll("-", "").slice(0, 24));
  await scene("another user's chat", () => bob.ask([user("Hello from me")]));
  await writeRecording("librechat", {
    frontEnd: "LibreChat",
    version: `@librechat/agents ${version}`,
    requests: recorder.requests,
  });
} finally {
  recorder.close();
  await stage.close();
}
