import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { runChat } from "../../src/cli/chat.ts";
import { createConversation } from "../../src/cli/conversation.ts";
import { connectTo } from "../../src/cli/service-client.ts";
import { captureTerminal } from "../support/capture-terminal.ts";
import { createClient } from "../support/client.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startService, type TestService } from "../support/start-service.ts";

let model: OpenAiServer;
let service: TestService;
beforeAll(async () => {
  model = await startOpenAiServer();
  service = await startService({ env: { MODELS_API_URL: model.url } });
});
afterAll(async () => {
  await service.stop();
  await model.close();
});

describe("chat-service chat", () => {
  it("sends the message of its arguments, prints the reply alone, and leaves", async () => {
    const { terminal, seen } = captureTerminal();
    model.enqueue({ tokens: ["Four", ", of ", "course\u001B[31m."] });
    const code = await runChat(
      ["--url", service.url, "--user", "ann", "What is", "2 + 2?"],
      terminal,
    );
    expect(code).toBe(0);
    expect(seen).toEqual({ output: "Four, of course[31m.\n", errors: "" });
    const { body } = await createClient(service.url).get<{ sessions: { user_id: string }[] }>(
      "/sessions?user_id=ann",
    );
    expect(body.sessions).toHaveLength(1);
  });

  it("talks to the service that the configuration names, as serve and doctor do", async () => {
    vi.stubEnv("PORT", new URL(service.url).port);
    const { terminal, seen } = captureTerminal();
    model.enqueue({ tokens: ["Here."] });
    expect(await runChat(["--user", "ann", "Where?"], terminal)).toBe(0);
    expect(seen.output).toBe("Here.\n");
    vi.stubEnv("PORT", "many");
    const refused = captureTerminal();
    expect(await runChat(["Where?"], refused.terminal)).toBe(2);
    expect(refused.seen.errors).toContain("PORT");
    vi.unstubAllEnvs();
  });

  it("keeps one conversation over several lines, and knows its commands", async () => {
    const { terminal, seen, type } = captureTerminal();
    const running = runChat(["--url", service.url, "--user", "bob"], terminal);
    type(
      "first",
      "second",
      "/title Holidays",
      "/sessions",
      "/history 2",
      "/new",
      "/sessions",
      "/open 1",
      "/agents",
      "/agent nobody",
      "/delete",
      "/sessions",
      "/nonsense",
      "/quit",
    );
    expect(await running).toBe(0);
    expect(seen.errors).toBe("");
    expect(seen.output).toContain("* 1  Holidays");
    expect(seen.output).toContain("general-chat, 4 messages");
    expect(seen.output).toContain("you › second\n");
    expect(seen.output).toContain("Holidays · general-chat");
    expect(seen.output).toContain("There is no agent nobody.");
    expect(seen.output).toContain("Deleted.\nYou have no conversations yet.\n");
    expect(seen.output).toContain("There is no /nonsense.");
  });

  it("shows each piece once although the connection is cut in the middle", async () => {
    const proxy = await startCuttingProxy(service.url);
    const { terminal, seen, shows } = captureTerminal();
    const gate = Promise.withResolvers<void>();
    const words = ["one ", "two ", "three ", "four"];
    model.enqueue({
      tokens: words,
      pace: async (index) => {
        if (index === 2) await gate.promise;
      },
    });
    const running = runChat(["--url", proxy.url, "--user", "cut", "count"], terminal);
    await shows("two");
    proxy.cut();
    gate.resolve();
    expect(await running).toBe(0);
    expect(seen.output).toBe("one two three four\n");
    expect(proxy.connections()).toBeGreaterThan(1);
    proxy.close();
  });

  it("stops the reply when the person interrupts it, and goes on", async () => {
    const { terminal, seen, shows } = captureTerminal();
    const conversation = createConversation({
      client: connectTo({ url: service.url, token: null, apiKey: null, userId: "interrupting" }),
      terminal: { ...terminal, isInteractive: true },
      userId: "interrupting",
      agentId: null,
    });
    const requests = model.requests.length;
    model.enqueue({ tokens: ["one ", "two"], fault: { kind: "hang" } });
    const stop = new AbortController();
    const ask = () => Promise.resolve(null);
    const saying = conversation.say("count", { ask, stop: stop.signal });
    await shows("two");
    stop.abort();
    expect(await saying).toBe(0);
    expect(seen.output).toContain("stopped (cancelled)");
    expect(await (await model.request(requests)).closed).toBe("aborted");
    await conversation.say("again", { ask, stop: new AbortController().signal });
    expect(seen.output).toContain("again");
  });

  it("ends with 1 and the fault when the agent fails or nobody is there, with 2 for wrong arguments", async () => {
    const failing = captureTerminal();
    model.enqueue({ tokens: ["so ", "far"], fault: { kind: "end_early" } });
    expect(await runChat(["--url", service.url, "hi"], failing.terminal)).toBe(1);
    expect(failing.seen.output).toBe("so far\n");
    expect(failing.seen.errors).toContain("(interrupted)");

    const alone = captureTerminal();
    expect(await runChat(["--url", "http://127.0.0.1:9", "hi"], alone.terminal)).toBe(1);
    expect(alone.seen.errors).toMatch(/^Nobody answers at http:\/\/127\.0\.0\.1:9\./);

    const stranger = captureTerminal();
    const notOurs = new URL(model.url).origin;
    expect(await runChat(["--url", notOurs, "hi"], stranger.terminal)).toBe(1);
    expect(stranger.seen.errors).toContain("not a chat service");

    const wrong = captureTerminal();
    expect(await runChat(["--nonsense"], wrong.terminal)).toBe(2);
    expect(wrong.seen.errors).toContain("--agent ID");

    const unknown = captureTerminal();
    expect(await runChat(["--url", service.url, "--session", "x", "hi"], unknown.terminal)).toBe(1);
    expect(unknown.seen.errors).toContain("There is no session x.");
  });
});
