import { agentRights, grantsAgent, isAgentRight } from "../identity/agent-rights.ts";
import type { Identity } from "../identity/identity.ts";

interface Wanted {
  readonly roles: readonly string[];
  /** Null: whatever the roles allow. */
  readonly scopes: readonly string[] | null;
}

/** In what a key would be able to do more than who makes it; null: in nothing. Nobody gives what he has not. */
export function exceededBy({ scopes, roles }: Wanted, maker: Identity): "scopes" | "roles" | null {
  const wanted = scopes ?? [];
  const actionsOf = wanted.filter((scope) => !isAgentRight(scope));
  const isWide = scopes === null || (actionsOf.length === 0 && wanted.length > 0);
  const mayMore =
    maker.scopes !== undefined &&
    (isWide || actionsOf.some((scope) => maker.scopes?.some((own) => own === scope) !== true));
  const agents = agentRights(wanted);
  const reachesMore =
    maker.agents !== undefined &&
    (agents === undefined || agents.some((right) => !grantsAgent(maker.agents ?? [], right)));
  if (mayMore || reachesMore) return "scopes";
  return roles.includes("admin") && !maker.roles.includes("admin") ? "roles" : null;
}
