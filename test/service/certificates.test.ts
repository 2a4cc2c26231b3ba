import { execFile } from "node:child_process";
import { chown, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { freePort, ordinaryUser } from "../support/backends.ts";
import { createAuthority, type TestAuthority } from "../support/certificates.ts";
import { createClient } from "../support/client.ts";
import { startOpenAiServer, type OpenAiServer } from "../support/openai-server.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { startService } from "../support/start-service.ts";
import { startTlsFront, type TlsFront } from "../support/tls-front.ts";

const main = join(import.meta.dirname, "../../bin/chat-service.mjs");

const authority: TestAuthority | null = await createAuthority();

describe.skipIf(authority === null)("a private authority and a certificate of one's own", () => {
  const { ca, server, elsewhere, client, directory } = authority as TestAuthority;
  let model: OpenAiServer;
  let front: TlsFront;
  let misnamed: TlsFront;
  let postgres: TestPostgres | null;
  let redis: TestRedis | null;
  let redisPort: number;

  beforeAll(async () => {
    model = await startOpenAiServer();
    const target = { targetPort: model.port, clientCa: ca };
    front = await startTlsFront({ ...target, certificate: server });
    misnamed = await startTlsFront({ ...target, certificate: elsewhere });
    const hba = join(directory, "pg_hba.conf");
    await writeFile(hba, "hostssl all chat 127.0.0.1/32 cert\nhost all postgres all trust\n");
    const user = ordinaryUser();
    if (user !== null) await chown(hba, user.uid, user.gid);
    postgres = await startPostgres({
      own: true,
      settings: [
        "ssl=on",
        `ssl_cert_file=${server.cert}`,
        `ssl_key_file=${server.key}`,
        `ssl_ca_file=${ca}`,
        `hba_file=${hba}`,
      ],
    });
    await postgres?.query("CREATE ROLE chat LOGIN");
    redisPort = await freePort();
    redis = await startRedis({
      own: true,
      args: [
        "--tls-port",
        String(redisPort),
        "--tls-auth-clients",
        "yes",
        "--tls-cert-file",
        server.cert,
        "--tls-key-file",
        server.key,
        "--tls-ca-cert-file",
        ca,
      ],
    });
  });
  afterAll(async () => {
    await Promise.all([front.close(), misnamed.close(), redis?.stop(), postgres?.stop()]);
    await model.close();
    await authority?.remove();
  });

  const own = { TLS_CERT_FILE: client.cert, TLS_KEY_FILE: client.key };

  async function databaseUrl(parameters: string): Promise<string> {
    const url = new URL((await postgres?.freshDatabase()) ?? "postgresql://127.0.0.1:9/none");
    await postgres?.query(`ALTER DATABASE ${url.pathname.slice(1)} OWNER TO chat`);
    url.username = "chat";
    url.search = parameters;
    return url.href;
  }

  /** What the doctor says of everything configured, by name. */
  async function doctor(env: Record<string, string>) {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [main, "doctor", "--json"],
      { cwd: directory, env: { PATH: process.env["PATH"], PORT: "0", ...env } },
    ).catch((error: unknown) => error as { stdout: string; stderr: string });
    expect(stderr).toBe("");
    const { findings } = JSON.parse(stdout) as {
      findings: { name: string; status: string; found: string; remedy?: string }[];
    };
    return (name: string) => findings.find((finding) => finding.name === name);
  }

  it("everything works with both, in the service and in the doctor", async (context) => {
    if (postgres === null || redis === null) return context.skip();
    const env = {
      ...own,
      TLS_CA_FILE: ca,
      DATABASE_URL: await databaseUrl("?sslmode=verify-full"),
      REDIS_URL: `rediss://127.0.0.1:${redisPort}`,
      MODELS_API_URL: `https://127.0.0.1:${front.port}/v1`,
      GATEWAY_URL: `https://127.0.0.1:${front.port}`,
    };
    const service = await startService({ env });
    onTestFinished(async () => void (await service.stop()));
    const chat = createClient(service.url);
    const session_id = await chat.session("ann");
    const message = { user_id: "ann", session_id, message: "hello" };
    const { body } = await chat.send("POST", "/chat/message", message);
    expect(body).toMatchObject({ response: expect.stringContaining("hello") });
    const health = await fetch(`${service.url}/health/detailed`);
    const { dependencies } = (await health.json()) as {
      dependencies: Record<string, { status: string }>;
    };
    expect(dependencies).toMatchObject({
      database: { status: "healthy" },
      redis: { status: "healthy" },
      models: { status: "healthy" },
    });
    for (const line of service.output().trim().split("\n")) expect(line).toMatch(/^\{/);
    const found = await doctor(env);
    for (const name of ["database", "redis", "models", "gateway"]) {
      expect(found(name), name).toMatchObject({ status: "ok" });
    }
  });

  it("PostgreSQL's URL may name files of its own", async (context) => {
    if (postgres === null) return context.skip();
    const files = `sslrootcert=${ca}&sslcert=${client.cert}&sslkey=${client.key}`;
    for (const mode of ["verify-full", "require", "verify-ca"]) {
      const url = await databaseUrl(`?sslmode=${mode}&${files}`);
      const found = await doctor({ DATABASE_URL: url });
      expect(found("database")).toMatchObject({ status: "ok" });
    }
  });

  it.each<[string, () => Record<string, string>, RegExp, RegExp]>([
    ["no authority", () => own, /not trusted here/, /TLS_CA_FILE/],
    [
      "no certificate",
      () => ({ TLS_CA_FILE: ca }),
      /certificate of this service|closes the connection/,
      /TLS_CERT_FILE/,
    ],
  ])("without it, a sentence says what is missing: %s", async (_name, given, words, remedy) => {
    const found = await doctor({
      ...given(),
      DATABASE_URL: await databaseUrl("?sslmode=verify-full"),
      REDIS_URL: `rediss://127.0.0.1:${redisPort}`,
      MODELS_API_URL: `https://127.0.0.1:${front.port}/v1`,
      GATEWAY_URL: `https://127.0.0.1:${front.port}`,
    });
    for (const name of ["database", "redis", "models", "gateway"]) {
      if (name === "database" && postgres === null) continue;
      if (name === "redis" && redis === null) continue;
      expect(found(name), name).toMatchObject({
        status: "fail",
        found: expect.stringMatching(words),
        remedy: expect.stringMatching(remedy),
      });
    }
  });

  it("tells a certificate of another name and a server without TLS", async () => {
    const wrong = await doctor({
      ...own,
      TLS_CA_FILE: ca,
      MODELS_API_URL: `https://127.0.0.1:${misnamed.port}/v1`,
      GATEWAY_URL: `https://127.0.0.1:${model.port}`,
    });
    expect(wrong("models")?.found).toMatch(/another name/);
    expect(wrong("gateway")?.found).toMatch(/does not speak TLS/);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ["a file that is not there", { TLS_CA_FILE: "nowhere.pem" }, /nowhere\.pem .*TLS_CA_FILE/],
    ["no PEM", { TLS_CA_FILE: server.key }, /holds no certificate.*TLS_CA_FILE/],
    [
      "the key of another",
      { TLS_CERT_FILE: client.cert, TLS_KEY_FILE: server.key },
      /is not the key of .*TLS_KEY_FILE/,
    ],
    ["half of a pair", { TLS_CERT_FILE: client.cert }, /belong together/],
  ])("a start with %s is one sentence", async (_name, env, words) => {
    const ended = await promisify(execFile)(process.execPath, [main], {
      cwd: directory,
      env: { PATH: process.env["PATH"], PORT: "0", ...env },
    }).catch((error: unknown) => error as { code: number; stderr: string });
    expect(ended.stderr).toMatch(words);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });
});
