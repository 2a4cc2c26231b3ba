import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runToken } from "../../src/cli/make-token.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { captureTerminal } from "../support/capture-terminal.ts";
import { createClient } from "../support/client.ts";
import { startService, type TestService } from "../support/start-service.ts";

const environment = {
  AUTH_MODE: "jwt",
  SECURITY_SECRET_KEY: "a-secret-of-this-test-0123456789",
  SECURITY_ISSUER: "https://issuer.example",
  SECURITY_AUDIENCE: "chat",
  SECURITY_CLOCK_SKEW_SECONDS: "0",
};

async function make(args: string[], settings: Record<string, string> = environment) {
  const loaded = loadConfig({ environment: settings, cwd: "/nowhere" });
  if (!loaded.ok) throw new Error(loaded.faults.join());
  const { terminal, seen } = captureTerminal();
  const code = await runToken(loaded.config, args, terminal);
  return { code, ...seen, authorization: `Bearer ${seen.output.trim()}` };
}

describe("chat-service token", () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService({ env: environment });
  });
  afterAll(async () => {
    await service.stop();
  });
  const ask = async (path: string, { authorization }: { authorization: string }) =>
    (await createClient(service.url).get(path, { authorization })).status;

  it("makes a token that the service takes, for this user alone", async () => {
    const ann = await make(["ann"]);
    expect(ann.output).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect(await ask("/sessions?user_id=ann", ann)).toBe(200);
    expect(await ask("/sessions?user_id=bob", ann)).toBe(403);
  });

  it("gives roles", async () => {
    const admin = await make(["root", "--role", "reader", "--role", "admin"]);
    expect(await ask("/sessions?user_id=bob", admin)).toBe(200);
  });

  it("refuses what would be of no use, in a sentence", async () => {
    for (const args of [
      [],
      ["a", "b"],
      [" ann"],
      ["ann", "--expires", "1w"],
      ["ann", "--expires", "366d"],
      ["ann", "--expires", "0s"],
      ["ann", "--rolle", "x"],
    ]) {
      const { code, output, errors } = await make(args);
      expect([code, output], args.join(" ")).toEqual([2, ""]);
      expect(errors).not.toBe("");
    }
    expect((await make(["ann"], {})).errors).toContain("auth.mode is open");
    const publicKeys = { AUTH_MODE: "jwt", SECURITY_JWKS_URL: "https://issuer.example/keys" };
    expect((await make(["ann"], publicKeys)).errors).toContain("security.secret_key");
  });
});
