import type { AgentBackend } from "../../agents/agent-backend.ts";
import {
  configuredBackends,
  createAgentBackends,
  type AgentBackendKind,
} from "../../composition/agent-backends.ts";
import type { Config } from "../../config/settings.ts";
import { advertisedHost, isLoopback } from "../../gateway/advertised-address.ts";
import { explainCertificate } from "../../problems/explain-certificate.ts";
import { silentLogger } from "../../telemetry/logger.ts";
import { rootOf } from "../../lib/root-of.ts";
import type { Finding } from "./finding.ts";
import { sayDetails } from "./say-details.ts";

const timeoutMs = 8_000;

/** The sources of agents, as each describes itself, and whether there is anybody to talk to. */
export async function checkAgents(
  config: Config,
  /** Default: those of this service. */
  kinds?: readonly AgentBackendKind[],
): Promise<Finding[]> {
  const all = createAgentBackends(config, silentLogger, kinds);
  const backends = configuredBackends(all);
  try {
    const findings = await Promise.all([
      ...all.map(({ source, backend }) => checkSource(source, backend)),
      checkAnyAgent(backends),
    ]);
    return findings.flat();
  } finally {
    await Promise.all(backends.map((backend) => backend.close()));
  }
}

async function checkSource(name: string, backend: AgentBackend | null): Promise<Finding[]> {
  if (backend === null) return [{ name, status: "off", found: "not configured" }];
  const { status, details, remedy } = await backend.probe(AbortSignal.timeout(timeoutMs));
  const told = sayDetails(details);
  if (status === "unhealthy") {
    const found = told === "" ? "does not answer" : told;
    return [{ name, status: "fail", found, remedy: remedy ?? "See the log of the source" }];
  }
  const more = (await backend.examine?.(AbortSignal.timeout(timeoutMs))) ?? [];
  return [{ name, status: "ok", found: told === "" ? "answers" : told }, ...more];
}

async function checkAnyAgent(backends: readonly AgentBackend[]): Promise<Finding> {
  const name = "agents";
  const lists = await Promise.all(
    backends.map((backend) => backend.list(AbortSignal.timeout(timeoutMs)).catch(() => [])),
  );
  const ids = lists.flat().map((agent) => agent.agentId);
  const able = lists.flat().filter((agent) => agent.isAvailable !== false);
  if (ids.length > 0 && able.length === 0) {
    return {
      name,
      status: "fail",
      found: `none of them can answer: ${ids.slice(0, 10).join(", ")}`,
      remedy: "Mend their sources, above",
    };
  }
  return ids.length > 0
    ? {
        name,
        status: "ok",
        found: able
          .map(({ agentId }) => agentId)
          .slice(0, 10)
          .join(", "),
      }
    : {
        name,
        status: "fail",
        found: "there is nobody to talk to",
        remedy:
          "Connect a source of agents (MODELS_API_URL, AGNO_API_URL), or BUILTIN_AGENTS=always",
      };
}

export async function checkGateway({ gateway, service }: Config): Promise<Finding[]> {
  const name = "gateway";
  if (gateway.url === null) return [{ name, status: "off", found: "not configured" }];
  const answers = await checkAnswers(name, gateway.url, "Start it, or correct GATEWAY_URL");
  const advertised = advertisedHost(gateway.advertise_host, service.host);
  if (!isLoopback(advertised) || isLoopback(new URL(gateway.url).hostname)) return [answers];
  return [
    answers,
    {
      name: "gateway address",
      status: "fail",
      found: `the gateway would be told to reach this node at ${advertised}, which is the gateway itself`,
      remedy: "HOST=0.0.0.0, or set GATEWAY_ADVERTISE_HOST to this machine's address",
    },
  ];
}

export async function checkBaseService({ base_service: base, auth }: Config): Promise<Finding> {
  const name = "base service";
  if (base.url === null) return { name, status: "off", found: "not configured" };
  const url = `${base.url.replace(/\/+$/, "")}${base.prefix}/auth/me`;
  const finding = await checkAnswers(
    name,
    url,
    "Start it, or correct BASE_SERVICE_URL and BASE_SERVICE_PREFIX",
  );
  // Without it nobody gets in; in other modes it is only asked for permissions.
  return finding.status === "fail" && auth.mode !== "base-service"
    ? { ...finding, status: "warn" }
    : finding;
}

/** Any answer of HTTP will do: what it says without credentials means nothing. */
async function checkAnswers(name: string, url: string, remedy: string): Promise<Finding> {
  const { origin } = new URL(url);
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(timeoutMs),
      redirect: "manual",
    });
    await response.body?.cancel();
    if (response.status < 500) {
      return { name, status: "ok", found: `${origin} answers (${response.status})` };
    }
    return { name, status: "fail", found: `${origin} answers ${response.status}`, remedy };
  } catch (error) {
    const certificate = explainCertificate(error);
    if (certificate !== null) {
      const { found, remedy: mends } = certificate;
      return { name, status: "fail", found: `${origin}: ${found}`, remedy: mends };
    }
    const { code, message } = rootOf(error);
    return {
      name,
      status: "fail",
      found: `${origin} does not answer (${code || message})`,
      remedy,
    };
  }
}
