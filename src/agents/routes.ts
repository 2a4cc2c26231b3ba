import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { problemResponses } from "../http/problem-docs.ts";
import { nullable, ref } from "../http/schemas.ts";
import type { ModelInfo } from "./agent-backend.ts";
import type { Catalogue } from "./catalogue.ts";
import { localized } from "./localized.ts";
import { settingNames } from "./run-settings.ts";

interface AgentRoutesOptions {
  readonly catalogue: Pick<Catalogue, "seenBy" | "answersInWords">;
  /** Empty when nothing offers models; bounded in time, and the last known ones while the source is away. */
  readonly listModels: (signal: AbortSignal) => Promise<readonly ModelInfo[]>;
}

const modelsTimeoutMs = 5_000;
/** An author may have written many. */
const maxPrompts = 10;
const maxPromptLength = 1_000;

export const agentSchema = Type.Object(
  {
    agent_id: Type.String(),
    name: Type.String(),
    description: Type.String(),
    type: Type.Union([Type.Literal("agent"), Type.Literal("team"), Type.Literal("workflow")]),
    source: Type.String({ description: "Where it comes from: `agno`, `models`, `builtin`, …" }),
    model: nullable(Type.String()),
    tools: Type.Array(Type.String()),
    settings: Type.Array(Type.String(), {
      description:
        "Members of `session_config` that it can be told; `model`, `temperature` and `instructions` mean nothing to the " +
        "others, anything else is refused with 422.",
    }),
    suggested_prompts: Type.Array(Type.String(), {
      description: "What one might ask it first, as its author has written it.",
    }),
    answers_in_words: Type.Boolean({
      description: "Whether a message may be the answer to what its paused reply asks.",
    }),
    metadata: Type.Record(Type.String(), Type.Unknown()),
    status: Type.Union([Type.Literal("available"), Type.Literal("unavailable")]),
  },
  { $id: "Agent", title: "Agent" },
);

/** Whom a conversation can be held with, and with which models. */
export function agentRoutes({
  catalogue,
  listModels,
}: AgentRoutesOptions): FastifyPluginAsyncTypebox {
  const security = [{ bearer: [] }, { apiKey: [] }, {}];
  return async (app) => {
    app.get(
      "/chat/agents",
      {
        schema: {
          tags: ["Agents"],
          security,
          summary: "The agents, teams and workflows there are",
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              agents: Type.Array(ref("Agent")),
              count: Type.Integer(),
            }),
            ...problemResponses(),
          },
        },
      },
      async (request) => {
        const { language } = request;
        const seen = catalogue.seenBy(request).list();
        const agents = seen.map(({ agentId, descriptor, backend, status }) => ({
          agent_id: agentId,
          name: localized(descriptor.name, language),
          description: localized(descriptor.description, language),
          type: descriptor.type,
          source: backend.source,
          model: descriptor.model,
          tools: descriptor.tools,
          settings: settingNames(backend),
          suggested_prompts: (descriptor.prompts ?? [])
            .map((prompt) => prompt.slice(0, maxPromptLength))
            .slice(0, maxPrompts),
          answers_in_words: catalogue.answersInWords(agentId),
          metadata: descriptor.metadata,
          status,
        }));
        return { success: true as const, agents, count: agents.length };
      },
    );

    app.get(
      "/chat/models",
      {
        schema: {
          tags: ["Agents"],
          security,
          summary: "The models that a session may choose",
          response: {
            200: Type.Object({
              success: Type.Literal(true),
              models: Type.Array(
                Type.Object({
                  id: Type.String(),
                  name: Type.String(),
                  provider: Type.String(),
                  can_chat: Type.Boolean({
                    description:
                      "False: it embeds, hears, draws, …, as far as its name and its source tell.",
                  }),
                }),
              ),
              count: Type.Integer(),
            }),
            ...problemResponses(),
          },
        },
      },
      async () => {
        const listed = await listModels(AbortSignal.timeout(modelsTimeoutMs));
        const models = listed.map(({ id, name, provider, canChat: can_chat }) => ({
          id,
          name,
          provider,
          can_chat,
        }));
        return { success: true as const, models, count: models.length };
      },
    );
  };
}
