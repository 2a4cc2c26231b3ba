import { Problem } from "../../../problems/problem.ts";
import { isFields } from "./message-parts.ts";

export interface EndpointModel {
  readonly id: string;
  readonly provider: string;
  /** Its window, where the list tells. */
  readonly contextTokens: number | null;
  /** As far as its name and its capabilities tell. */
  readonly canChat: boolean;
}

/** Endpoints list everything they serve. */
const notForChat =
  /embed|rerank|whisper|tts|speech|transcribe|dall-?e|image|moderation|babbage|davinci|sora|veo-|flux|stable-?diffusion|realtime|\bocr\b|bge-|minilm|llama-guard/i;

/**
 * The models of GET /models: `{data: […]}`, `{models: […]}` or a bare list, of objects with an id or a name, or of bare
 * names; `null` for a list is an empty one. Raises `agent_failed` for anything else.
 */
export function parseModelList(answer: unknown): readonly EndpointModel[] {
  const list = isFields(answer) ? ("data" in answer ? answer["data"] : answer["models"]) : answer;
  if (list === null) return [];
  if (!Array.isArray(list)) {
    const cause = new Error("the endpoint's list of models is not in the usual form");
    throw new Problem("agent_failed", { agentId: "models" }, { cause });
  }
  return (list as readonly unknown[]).flatMap((model) => {
    const fields = isFields(model) ? model : { id: model };
    const id = [fields["id"], fields["name"], fields["model"]].find(
      (name) => typeof name === "string" && name !== "",
    ) as string | undefined;
    if (id === undefined) return [];
    const owner = fields["owned_by"];
    const { capabilities } = fields;
    const saysNo = isFields(capabilities) && capabilities["chat_completion"] === false;
    return [
      {
        id,
        provider: typeof owner === "string" ? owner : "openai-compatible",
        canChat: !saysNo && !notForChat.test(id),
        contextTokens: windowOf(fields),
      },
    ];
  });
}

/** What a server was started with counts before what the model could take. */
const windowNames = [
  "loaded_context_length",
  "n_ctx",
  "max_model_len",
  "context_length",
  "context_window",
  "max_context_length",
  "max_context_tokens",
  "max_input_tokens",
  "inputTokenLimit",
  "n_ctx_train",
] as const;
/** Objects in which servers keep it. */
const windowPlaces = ["meta", "limits", "top_provider", "model_info", "capabilities", "details"];

/** What an entry of a list says of its model's window, in tokens. */
export function windowOf(model: Readonly<Record<string, unknown>>): number | null {
  const places = [model, ...windowPlaces.map((name) => model[name]).filter(isFields)];
  for (const name of windowNames) {
    for (const place of places) {
      const tokens = Number(place[name]);
      if (Number.isInteger(tokens) && tokens >= 256) return tokens;
    }
  }
  return null;
}
