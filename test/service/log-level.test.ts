import { expect, it, vi } from "vitest";
import { createClient } from "../support/client.ts";
import { startService } from "../support/start-service.ts";

it("SIGUSR2 changes the level of the running process, and each change is told", async () => {
  const service = await startService();
  const client = createClient(service.url);
  const levels = () => [...service.output().matchAll(/"logLevel":"(\w+)"/g)].map(([, to]) => to);
  const next = async (level: string) => {
    const before = levels().length;
    service.process.kill("SIGUSR2");
    await vi.waitFor(() => expect(levels().slice(before)).toEqual([level]), 10_000);
  };
  try {
    await client.get("/chat/message/at-info");
    await next("WARN");
    await client.get("/chat/message/at-warn");
    await next("ERROR");
    await next("DEBUG");
    await client.get("/chat/message/at-debug");
    await vi.waitFor(() => expect(service.output()).toContain('"path":"/chat/message/at-debug"'));
    // Lines come in their order.
    expect(service.output()).toContain('"path":"/chat/message/at-info"');
    expect(service.output()).not.toContain("at-warn");
    expect(service.output()).toContain('"level":"debug"');
  } finally {
    await service.stop();
  }
});
