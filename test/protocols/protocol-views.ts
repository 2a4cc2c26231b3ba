import { a2a } from "./views/a2a.ts";
import { agUi } from "./views/ag-ui.ts";
import { aiSdk } from "./views/ai-sdk.ts";
import { completions } from "./views/completions.ts";
import { mcp } from "./views/mcp.ts";
import type { ProtocolView } from "./views/protocol-view.ts";
import { responses } from "./views/responses.ts";

/** Every protocol's view of a reply. */
export const protocolViews: readonly ProtocolView[] = [
  responses,
  completions,
  aiSdk,
  agUi,
  mcp,
  a2a,
];
