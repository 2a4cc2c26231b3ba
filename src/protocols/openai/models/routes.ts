import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import type { Catalogue, CatalogueEntry } from "../../../agents/catalogue.ts";
import { Problem } from "../../../problems/problem.ts";
import { errorResponses, security, tags } from "../schemas.ts";

const modelSchema = Type.Object(
  {
    id: Type.String({ description: "The agent's id." }),
    object: Type.Literal("model"),
    created: Type.Integer(),
    owned_by: Type.String({ description: "Where it comes from: `agno`, `models`, `builtin`, …" }),
  },
  { title: "Model" },
);

/** Agents as models. */
export function modelRoutes(catalogue: Pick<Catalogue, "seenBy">): FastifyPluginAsyncTypebox {
  // Nobody knows when an agent was made; the same for all requests is what matters.
  const created = Math.floor(Date.now() / 1000);
  const modelOf = ({ agentId, backend }: CatalogueEntry) => ({
    id: agentId,
    object: "model" as const,
    created,
    owned_by: backend.source,
  });
  return async (app) => {
    app.get(
      "/v1/models",
      {
        schema: {
          tags,
          security,
          summary: "The agents there are, as models",
          response: {
            200: Type.Object({ object: Type.Literal("list"), data: Type.Array(modelSchema) }),
            ...errorResponses(),
          },
        },
      },
      async (request) => ({
        object: "list" as const,
        data: catalogue.seenBy(request).list().map(modelOf),
      }),
    );

    app.get(
      "/v1/models/:model",
      {
        schema: {
          tags,
          security,
          summary: "An agent as a model",
          params: Type.Object({ model: Type.String({ examples: ["general-chat"] }) }),
          response: { 200: modelSchema, ...errorResponses("agent_not_found") },
        },
      },
      async (request) => {
        const { model } = request.params;
        const entry = catalogue.seenBy(request).entry(model);
        if (entry === undefined) throw new Problem("agent_not_found", { agentId: model });
        return modelOf(entry);
      },
    );
  };
}
