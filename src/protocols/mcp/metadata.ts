/** Of the door, as RFC 9728 derives it from its path. */
export const metadataPath = "/.well-known/oauth-protected-resource/mcp";

/** Where clients get a token for the door at `base`. */
export function protectedResource(base: string, issuer: string, name: string) {
  return {
    resource: `${base}/mcp`,
    authorization_servers: [issuer],
    bearer_methods_supported: ["header"],
    resource_name: name,
  };
}
