import type { ChatMessage, ContentPart } from "./chat-protocol.ts";
import { isFields } from "./message-parts.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The member of an assistant's message that holds the items of the response it stands for, as they came. */
export const itemsMember = "response_items";

/** Settings that this protocol has no member for. */
export const unknownToResponses = [
  "stop",
  "seed",
  "presence_penalty",
  "frequency_penalty",
] as const;

/**
 * A request of the chat completions protocol as the Responses API takes it. Nothing is kept at the server: the
 * conversation is sent each time, with what the model has thought sealed in it.
 */
export function toResponsesRequest(members: Fields): Fields {
  const {
    messages,
    tools,
    max_tokens: maxTokens,
    max_completion_tokens: maxCompletionTokens = maxTokens,
    reasoning_effort: effort,
    response_format: format,
    ...rest
  } = members;
  const told = messages as readonly ChatMessage[];
  const instructions = told.flatMap((each) => (each.role === "system" ? [each.content] : []));
  return {
    ...rest,
    ...(instructions.length > 0 && { instructions: instructions.join("\n\n") }),
    input: told.flatMap(toItems),
    ...(tools !== undefined && { tools: (tools as readonly { function: Fields }[]).map(toTool) }),
    ...(maxCompletionTokens !== undefined && { max_output_tokens: maxCompletionTokens }),
    ...(effort !== undefined && { reasoning: { effort } }),
    ...(isFields(format) && { text: { format: toFormat(format) } }),
  };
}

/** Schemas of tools are not written for strict mode, which would be the default here. */
function toTool({ function: definition }: { readonly function: Fields }): Fields {
  return { type: "function", strict: false, ...definition };
}

function toFormat({ type, json_schema: schema }: Fields): Fields {
  return { type, ...(isFields(schema) && schema) };
}

function toItems(message: ChatMessage): readonly Fields[] {
  switch (message.role) {
    case "system":
      return [];
    case "user":
      return [{ role: "user", content: toContent(message.content) }];
    case "tool":
      return [
        {
          type: "function_call_output",
          call_id: message.tool_call_id,
          output: message.content,
        },
      ];
    case "assistant": {
      const calls = (message.tool_calls ?? []).map(({ id, function: called }) => ({
        type: "function_call",
        call_id: id,
        name: called.name,
        arguments: called.arguments,
      }));
      const items = message[itemsMember];
      if (Array.isArray(items)) {
        const kept = withCalls(items as readonly Fields[], calls);
        if (kept !== null) return kept;
      }
      const said = message.content === null || message.content === "";
      return [...(said ? [] : [{ role: "assistant", content: message.content }]), ...calls];
    }
  }
}

/** The items as they came, but for ids and arguments that had to be mended; null where they do not fit the calls. */
function withCalls(items: readonly Fields[], calls: readonly Fields[]): readonly Fields[] | null {
  let position = 0;
  const merged = items.map((item) => {
    if (item["type"] !== "function_call") return item;
    const call = calls[position];
    position += 1;
    return { ...item, ...call };
  });
  return position === calls.length ? merged : null;
}

function toContent(content: string | readonly ContentPart[]): string | readonly Fields[] {
  if (typeof content === "string") return content;
  return content.map((part) =>
    part.type === "text"
      ? { type: "input_text", text: part.text }
      : { type: "input_image", image_url: part.image_url.url },
  );
}
