import type { CallToolResult, ContentBlock } from "@modelcontextprotocol/client";
import type { ToolMedia, ToolOutput } from "../tool.ts";

/** What a tool gave, as a model takes it: a text of at most `maxBytes`; pictures and sound are for the user. */
export function toolOutputOf(result: CallToolResult, maxBytes: number): ToolOutput {
  const media: ToolMedia[] = [];
  const blocks = result.content.map((block) => textOf(block, media)).filter((text) => text !== "");
  const { structuredContent } = result;
  // A server should repeat it as text; one that did not is quoted.
  const structured =
    structuredContent === undefined || result.content.some((block) => block.type === "text")
      ? []
      : [JSON.stringify(structuredContent)];
  const text = [...blocks, ...structured].join("\n");
  return { text: cutToBytes(text === "" ? "(no output)" : text, maxBytes), media };
}

function textOf(block: ContentBlock, media: ToolMedia[]): string {
  switch (block.type) {
    case "text":
      return block.text;
    case "image":
    case "audio": {
      const { type, mimeType, data } = block;
      const size = `${Math.floor((data.length * 3) / 4)} bytes`;
      const isShown = new RegExp(`^${type}/[\\w.+-]{1,100}$`).test(mimeType) && isBase64(data);
      if (isShown) media.push({ kind: type, url: `data:${mimeType};base64,${data}` });
      return isShown
        ? `[${type}, ${mimeType}, ${size}: the user sees it, you do not]`
        : `[${type} of a kind that cannot be shown]`;
    }
    case "resource_link":
      return `[${block.title ?? block.name}](${block.uri})${block.description ? `: ${block.description}` : ""}`;
    case "resource": {
      const { resource } = block;
      if ("text" in resource) return resource.text;
      return `[${resource.uri}, ${resource.mimeType ?? "binary"}: not shown]`;
    }
    default:
      // Of a later version of the protocol.
      return "[something that this service does not know]";
  }
}

function isBase64(data: string): boolean {
  return data.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(data);
}

/** A text that is too long says that it is cut, and how much there was. */
function cutToBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  // Half a character at the end is left out.
  const kept = new TextDecoder().decode(bytes.subarray(0, maxBytes), { stream: true });
  return `${kept}\n[cut: the first ${maxBytes} of ${bytes.length} bytes]`;
}
