import { SdkError, SdkErrorCode, SdkHttpError } from "@modelcontextprotocol/client";
import { rootOf } from "../../../../lib/root-of.ts";
import type { McpFault } from "./mcp-fault.ts";

export function faultOf(error: unknown): McpFault {
  if (error instanceof SdkHttpError) {
    if (error.status === 401 || error.status === 403) return "refused";
    return error.status === 404 || error.status === 405 ? "not_mcp" : "unreachable";
  }
  const { code } = rootOf(error);
  if (code === "ENOENT" || code === "EACCES") return "not_found";
  if (error instanceof SdkError) {
    if (error.code === SdkErrorCode.RequestTimeout) return "timeout";
    if (error.code === SdkErrorCode.ConnectionClosed) return "closed";
    // Behind others is what the network said.
    return error.cause === undefined && error.code !== SdkErrorCode.SendFailed
      ? "not_mcp"
      : "unreachable";
  }
  return error instanceof Error && error.name === "UnauthorizedError" ? "refused" : "unreachable";
}
