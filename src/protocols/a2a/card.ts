import type { AgentCard, AgentInterface, SecurityScheme } from "@a2a-js/sdk";
import type { CatalogueEntry } from "../../agents/catalogue.ts";
import { localized } from "../../agents/localized.ts";
import type { Language } from "../../problems/catalogue.ts";

export interface CardOptions {
  /** Where this service is. */
  readonly base: string;
  /** Below `/a2a`; undefined: whoever is asked when nobody is named. */
  readonly agentId: string | undefined;
  /** Null: the reader has not said who he is, and is told of no agent. */
  readonly agent: CatalogueEntry | null;
  readonly name: string;
  readonly version: string;
  readonly language: Language;
  /** Whether one has to prove who one is. */
  readonly isGuarded: boolean;
}

/** Of both generations, which share the address: the version is in a header of each request. */
const versions = ["1.0", "0.3"] as const;

const schemes: Readonly<Record<string, SecurityScheme>> = {
  bearer: {
    scheme: {
      $case: "httpAuthSecurityScheme",
      value: {
        scheme: "Bearer",
        bearerFormat: "JWT",
        description: "A token, or a key for programs.",
      },
    },
  },
  apiKey: {
    scheme: {
      $case: "apiKeySecurityScheme",
      value: { location: "header", name: "X-API-Key", description: "A key for programs." },
    },
  },
};

/** What an agent says of itself to other agents. */
export function agentCard(options: CardOptions): AgentCard {
  const { base, agentId, agent, language, isGuarded } = options;
  const url = `${base}/a2a${agentId === undefined ? "" : `/${encodeURIComponent(agentId)}`}`;
  const about = agent?.descriptor;
  const name = about === undefined ? options.name : localized(about.name, language);
  const description = about === undefined ? "" : localized(about.description, language);
  return {
    name,
    description: description === "" ? name : description,
    supportedInterfaces: versions.map((protocolVersion): AgentInterface => ({
      url,
      protocolBinding: "JSONRPC",
      tenant: "",
      protocolVersion,
    })),
    provider: undefined,
    version: options.version,
    documentationUrl: undefined,
    iconUrl: undefined,
    capabilities: {
      streaming: true,
      pushNotifications: false,
      extendedAgentCard: isGuarded,
      extensions: [],
    },
    securitySchemes: isGuarded ? { ...schemes } : {},
    securityRequirements: isGuarded
      ? Object.keys(schemes).map((scheme) => ({ schemes: { [scheme]: { list: [] } } }))
      : [],
    defaultInputModes: ["text/plain", "application/json", ...filesOf(agent)],
    defaultOutputModes: ["text/plain", "application/json"],
    skills:
      agent === null || about === undefined
        ? []
        : [
            {
              id: agent.agentId,
              name,
              description: description === "" ? name : description,
              tags: [about.type, ...about.tools],
              examples: [...(about.prompts ?? [])],
              inputModes: [],
              outputModes: [],
              securityRequirements: [],
            },
          ],
    signatures: [],
  };
}

/** The kinds of files that an agent takes, as far as it says so. */
function filesOf(agent: CatalogueEntry | null): string[] {
  const kinds = agent?.descriptor.metadata["attachments"];
  return Array.isArray(kinds) ? kinds.filter((kind) => typeof kind === "string") : [];
}
