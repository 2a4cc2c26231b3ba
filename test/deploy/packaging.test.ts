import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { knownByEnvironmentName } from "../../src/config/known-settings.ts";
import { describeThirdParties } from "../../scripts/third-party.ts";
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
        (_whole, fallback?: string) => fallback ?? "0123456789".repeat(4),
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
      /^ENTRYPOINT \["tini", "--", "node", "--max-semi-space-size=16", "--no-parallel-scavenge", "bin\/chat-service\.mjs"\]$/m,
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

it("images of others are named by what they hold", async () => {
  const files = ["Dockerfile", "deploy/compose.yaml", "deploy/kubernetes/chat-service.yaml"];
  const named: string[] = [];
  for (const file of files) {
    for (const [, image = ""] of (await read(file)).matchAll(
      /^ *(?:FROM|image:|- image:) (\S+)/gm,
    )) {
      named.push(image);
    }
  }
  const foreign = named.filter((image) => !/^chat-service(?::|$)/.test(image));
  expect(foreign.length).toBeGreaterThanOrEqual(5);
  for (const image of foreign) expect(image).toMatch(/^[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}$/);
});

it("THIRD-PARTY.md tells everything of others that is shipped", async () => {
  // After packages have changed: node scripts/write-third-party.ts
  expect(await read("THIRD-PARTY.md")).toBe(describeThirdParties());
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
      ...parseAllDocuments(await read("deploy/kubernetes/examples/secret.yaml")),
    ].map((document) => document.toJS() as Record<string, never> & { kind: string });
    const kind = (name: string) => documents.find((document) => document.kind === name) as never;
    const { data } = kind("ConfigMap") as { data: Record<string, string> };
    const { stringData } = kind("Secret") as { stringData: Record<string, string> };
    const environment = { ...data, ...stringData, SECURITY_SECRET_KEY: "0123456789".repeat(4) };
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

  it("applies nothing that is only an example, and hides from the outside what nginx.conf hides", async () => {
    expect((await readdir(join(root, "deploy/kubernetes"))).toSorted()).toEqual([
      "chat-service.yaml",
      "examples",
    ]);
    const ingress = parse(await read("deploy/kubernetes/examples/ingress.yaml")) as {
      spec: {
        rules: {
          http: { paths: { path: string; backend: { service: { name: string } } }[] };
        }[];
      };
    };
    const hidden = ingress.spec.rules
      .flatMap(({ http }) => http.paths)
      .filter(({ backend }) => backend.service.name !== "chat-service")
      .map(({ path }) => path);
    const loaded = loadConfig({ environment: {}, cwd: "/nowhere" });
    if (!loaded.ok) throw new Error(loaded.faults.join());
    const { server, monitoring } = loaded.config;
    for (const prefix of ["", ...server.prefixes]) {
      for (const path of [monitoring.metrics_path, "/health/detailed", "/health/metrics"]) {
        expect(hidden).toContain(prefix + path);
      }
    }
  });

  it("serves metrics where they are scraped, which leads nowhere from the outside", async () => {
    const documents = parseAllDocuments(await read("deploy/kubernetes/chat-service.yaml")).map(
      (document) => document.toJS() as { kind: string } & Record<string, never>,
    );
    const kind = (name: string) => documents.find((document) => document.kind === name) as never;
    const { data } = kind("ConfigMap") as { data: Record<string, string> };
    const { template } = (kind("Deployment") as { spec: { template: unknown } }).spec as {
      template: {
        metadata: { annotations: Record<string, string> };
        spec: { containers: { ports: { containerPort: number }[] }[] };
      };
    };
    const port = data["MONITORING_PORT"];
    expect(template.metadata.annotations["prometheus.io/port"]).toBe(port);
    expect(template.spec.containers[0]?.ports).toContainEqual(
      expect.objectContaining({ containerPort: Number(port) }),
    );
    expect(JSON.stringify(kind("Service"))).not.toContain("monitoring");

    const compose = parse(await read("deploy/compose.yaml"), { merge: true }) as {
      services: Record<string, { environment?: Record<string, string>; ports?: string[] }>;
    };
    const prometheus = parse(await read("deploy/prometheus/prometheus.example.yaml")) as {
      scrape_configs: { static_configs: { targets: string[] }[] }[];
    };
    const targets = prometheus.scrape_configs.flatMap(({ static_configs: all }) =>
      all.flatMap((each) => each.targets),
    );
    expect(targets).toHaveLength(2);
    for (const target of targets) {
      const [name = "", targetPort] = target.split(":");
      expect(compose.services[name]?.environment?.["MONITORING_PORT"]).toBe(targetPort);
      expect(compose.services[name]?.ports).toBeUndefined();
    }
  });

  it("grows only as far as PostgreSQL's connections reach", async () => {
    const documents = parseAllDocuments(await read("deploy/kubernetes/chat-service.yaml")).map(
      (document) => document.toJS() as { kind: string } & Record<string, never>,
    );
    const kind = (name: string) => documents.find((document) => document.kind === name) as never;
    const { data } = kind("ConfigMap") as { data: Record<string, string> };
    const { spec } = kind("HorizontalPodAutoscaler") as { spec: { maxReplicas: number } };
    const ofNode = Number(data["DATABASE_POOL_SIZE"]) + Number(data["DATABASE_MAX_OVERFLOW"]);
    // PostgreSQL keeps three for its superuser, and an upgrade starts one more node.
    expect((spec.maxReplicas + 1) * ofNode).toBeLessThanOrEqual(97);
  });
});

describe("nodes that stop", () => {
  it("outlast nginx's idle connections, and are given the time they need", async () => {
    const nginx = await read("deploy/nginx.conf");
    const idleSeconds = Number(/^\s*keepalive_timeout (\d+)s;/m.exec(nginx)?.[1]);
    const failSeconds = Number(/fail_timeout=(\d+)s/.exec(nginx)?.[1]);
    const compose = parse(await read("deploy/compose.yaml"), { merge: true }) as {
      services: Record<
        string,
        { environment: Record<string, string>; stop_grace_period: string } | undefined
      >;
    };
    const { environment, stop_grace_period: grace } = compose.services["chat-1"] ?? {};
    const delay = Number(environment?.["SERVER_SHUTDOWN_DELAY_SECONDS"]);
    expect(delay).toBeGreaterThan(Math.max(idleSeconds, failSeconds));
    const loaded = loadConfig({ environment: {}, cwd: "/nowhere" });
    if (!loaded.ok) throw new Error(loaded.faults.join());
    expect(Number.parseInt(grace ?? "", 10)).toBeGreaterThan(
      delay + loaded.config.server.drain_seconds + 10,
    );
  });
});
