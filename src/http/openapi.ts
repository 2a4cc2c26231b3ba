import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import type { TSchema } from "typebox";
import { describeOperation } from "./describe-operation.ts";

interface OpenApiOptions {
  readonly version: string;
  /** Whether /docs and /openapi.json are served; the document exists in any case. */
  readonly isServed: boolean;
  /** Schemas with an `$id`, to be referred to by routes. */
  readonly schemas: readonly TSchema[];
}

const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#2f6fde" d="M2 2h12v9H7l-4 3v-3H2z"/></svg>';

/** Swagger UI writes styles into its elements; it loads nothing from elsewhere. */
const documentsPolicy =
  "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; connect-src 'self'; " +
  "font-src 'self' data:; img-src 'self' data:; script-src 'self'; style-src 'self' 'unsafe-inline'";

/** The OpenAPI 3.1 document of all routes registered after this, and Swagger UI. */
export async function installOpenApi(app: FastifyInstance, options: OpenApiOptions): Promise<void> {
  for (const schema of options.schemas) app.addSchema(schema);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Chat Service",
        version: options.version,
        description:
          "Conversations with AI agents: sessions, resumable streamed replies, history, voice. " +
          "Every path is served at the root and below /api and /api/v1.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "/", description: "This server" }],
      tags: [
        { name: "Sessions", description: "Conversations of a user" },
        { name: "Messages", description: "Sent, streamed, followed, stopped; the history" },
        { name: "Agents", description: "Whom to talk to" },
        { name: "Voice", description: "Speech in and out" },
        { name: "Import and export", description: "Conversations as files" },
        { name: "OpenAI", description: "For clients of OpenAI's API" },
        { name: "Usage", description: "What was used, and what it costs" },
        { name: "Service", description: "Health, metrics and documents" },
      ],
      components: {
        securitySchemes: {
          bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
          apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
        },
      },
    },
    refResolver: {
      buildLocalReference: (json, _baseUri, _fragment, index) =>
        typeof json["$id"] === "string" ? json["$id"] : `schema${index}`,
    },
    convertConstToEnum: false,
    transform: describeOperation,
  });
  if (!options.isServed) return;
  await app.register(async (documents) => {
    // Whoever wants to sign in reads first how.
    documents.addHook("onRoute", (route) => {
      route.config = { ...route.config, isPublic: true };
    });
    await documents.register(swaggerUi, {
      routePrefix: "/docs",
      // One document, without the bar in which another one could be asked for.
      uiConfig: { docExpansion: "list", tryItOutEnabled: true, layout: "BaseLayout" },
      logo: { type: "image/svg+xml", content: icon },
      theme: {
        title: "Chat Service API",
        favicon: [
          { filename: "icon.svg", rel: "icon", type: "image/svg+xml", sizes: "any", content: icon },
        ],
      },
      staticCSP: documentsPolicy,
      indexPrefix: "",
    });
  });
  // Of some hundred kilobytes, made once: anybody may ask for it.
  let document: string | undefined;
  app.get(
    "/openapi.json",
    { config: { isPublic: true }, schema: { hide: true } },
    (_request, reply) =>
      reply
        .type("application/json; charset=utf-8")
        .send((document ??= JSON.stringify(app.swagger()))),
  );
}
