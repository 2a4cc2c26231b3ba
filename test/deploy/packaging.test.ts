import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { knownByEnvironmentName } from "../../src/config/known-settings.ts";
import { loadConfig } from "../../src/config/load-config.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string) => readFile(join(root, path), "utf8");

/** A setting that the service would not know would be ignored in silence by the shell that sets it. */
function expectKnown(environment: Record<string, unknown>): void {
  for (const name of Object.keys(environment))
    expect([...knownByEnvironmentName.keys()]).toContain(name);
}

/** With the variables of compose filled in. */
function filledIn(environment: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value.replaceAll(
        /\$\{\w+(?::-([^}]*)|:\?[^}]*)\}/g,
        (_whole, fallback?: string) => fallback ?? "x".repeat(40),
      ),
    ]),
  );
}

describe("Dockerfile", () => {
  it("copies what the service needs, runs unprivileged, and sets only known settings", async () => {
    const text = await read("Dockerfile");
    const [, runtime = ""] = text
      .split("\nFROM ")
      .map((stage) => `FROM ${stage}`)
      .slice(-2);
    expect(runtime).toMatch(/^USER node$/m);
    expect(runtime).toMatch(/^HEALTHCHECK /m);
    expect(runtime).toMatch(
      /^ENTRYPOINT \["tini", "--", "node", "--max-semi-space-size=16", "--no-parallel-scavenge", "src\/main\.ts"\]$/m,
    );
    const settings = /^ENV ([^]*?[^\\])\n/m.exec(runtime)?.[1] ?? "";
    expectKnown(
      Object.fromEntries(
        settings.split(/\s*\\\n\s*/).map((pair) => pair.split("=") as [string, string]),
      ),
    );
    const ignore = (await read(".dockerignore")).split("\n");
    for (const [, sources = ""] of text.matchAll(/^COPY (?!--from)(.*) \S+$/gm)) {
      for (const source of sources.split(" ")) {
        const top = `!${source.replace(/^\.\//, "")}`;
        expect(ignore, `${source} is kept from the builder`).toContain(top);
      }
    }
  });
});

describe("compose.yaml", () => {
  it("starts the service with a configuration that holds", async () => {
    const compose = parse(await read("deploy/compose.yaml"), { merge: true }) as {
      services: Record<string, { environment?: Record<string, string>; read_only?: boolean }>;
    };
    for (const name of ["chat-1", "chat-2"]) {
      const { environment = {}, read_only: readOnly } = compose.services[name] ?? {};
      expect(readOnly).toBe(true);
      expectKnown(environment);
      expect(loadConfig({ environment: filledIn(environment), cwd: "/nowhere" })).toMatchObject({
        ok: true,
      });
    }
  });
});

describe("Kubernetes", () => {
  it("starts the service with a configuration that holds, and waits as long as it needs to stop", async () => {
    const documents = [
      ...parseAllDocuments(await read("deploy/kubernetes/chat-service.yaml")),
      ...parseAllDocuments(await read("deploy/kubernetes/secret.example.yaml")),
    ].map((document) => document.toJS() as Record<string, never> & { kind: string });
    const kind = (name: string) => documents.find((document) => document.kind === name) as never;
    const { data } = kind("ConfigMap") as { data: Record<string, string> };
    const { stringData } = kind("Secret") as { stringData: Record<string, string> };
    const environment = { ...data, ...stringData, SECURITY_SECRET_KEY: "x".repeat(40) };
    expectKnown(environment);
    const loaded = loadConfig({ environment, cwd: "/nowhere" });
    if (!loaded.ok) throw new Error(loaded.faults.join());

    const { spec } = kind("Deployment") as {
      spec: {
        template: {
          spec: { terminationGracePeriodSeconds: number; containers: Record<string, never>[] };
        };
      };
    };
    const { server } = loaded.config;
    expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(
      server.shutdown_delay_seconds + server.drain_seconds + 10,
    );
    const [container] = spec.template.spec.containers;
    const probe = (name: string) =>
      (container?.[name] as unknown as { httpGet: { path: string } } | undefined)?.httpGet.path;
    expect([probe("startupProbe"), probe("readinessProbe"), probe("livenessProbe")]).toEqual([
      "/health",
      "/health/readiness",
      "/health/liveness",
    ]);
  });
});
