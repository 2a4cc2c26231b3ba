import type { FastifyRequest } from "fastify";

/** Where clients reach this service, without a slash at its end: as it is configured, else as this request came. */
export function baseUrl(request: FastifyRequest, publicUrl: string | null): string {
  if (publicUrl !== null) return publicUrl.replace(/\/+$/, "");
  const prefix = request.originalUrl.slice(0, -request.url.length);
  return `${request.protocol}://${request.host}${prefix}`;
}
