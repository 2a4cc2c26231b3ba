import {
  chatGptConversation,
  libreChatConversation,
  openWebUiChat,
} from "../support/foreign-exports.ts";
import { referenceProgram } from "../support/mcp-servers.ts";
import { lastUserText, type RecordedRequest, type Turn } from "../support/openai-server.ts";
import type { SecurityStage } from "./stage.ts";

/** States that a generated request alone does not come to: what some operations need to succeed at all. */
export interface FuzzStates {
  /** Replies that wait for a person's decision about the call `callId`. */
  readonly pausedIds: readonly string[];
  /** A message, and its reply, that wait behind one that runs until `release`. */
  readonly queuedIds: readonly string[];
  /** Conversations in files, as services export them. */
  readonly files: readonly string[];
  /** Lets what runs come to its end. */
  release(): void;
}

/** The first call of the first answer. */
export const callId = "call-1-1";
const careful = "careful";
const holding = "until it is released";

/** An agent whose tool a person must allow. */
export const statesEnv: Readonly<Record<string, string>> = {
  MODELS_AGENTS: JSON.stringify([
    {
      id: careful,
      name: "Careful",
      mcp: [{ name: "local", ...referenceProgram, tools: ["get-sum"] }],
    },
  ]),
};

/** For each batch of requests; what was made before is released. */
export function createStates(
  { clients: { owner }, model }: SecurityStage,
  special: (request: RecordedRequest) => Turn | null = () => null,
) {
  let released = Promise.resolve();
  model.setRespond((request) => {
    const turn = special(request);
    if (turn !== null) return turn;
    const { messages, tools } = request.body as {
      messages: { role: string }[];
      tools?: { function: { name: string } }[];
    };
    const tool = tools?.[0]?.function.name;
    if (tool !== undefined && messages.at(-1)?.role === "user") {
      return { toolCalls: [{ id: "call-1", name: tool, arguments: { a: 1, b: 2 } }] };
    }
    const text = lastUserText(request);
    const until = released;
    if (text === holding) return { tokens: ["so", " it is"], pace: () => until };
    return { tokens: `You said: ${text}`.match(/\s*\S+/g) ?? [] };
  });

  const paused = async (): Promise<string> => {
    const stream = await owner.stream({ message: "1 + 2?", agent_id: careful });
    await stream.next(({ type }) => type === "paused");
    await stream.all();
    return stream.headers.get("x-message-id") ?? "";
  };
  const queued = async (): Promise<readonly string[]> => {
    const send = async (body: object) => {
      const sent = await owner.send<{
        session_id: string;
        message_id: string;
        user_message_id: string;
      }>("POST", "/chat/message", body, { prefer: "respond-async" });
      if (sent.status !== 202) throw new Error(`not taken: ${JSON.stringify(sent.body)}`);
      return sent.body;
    };
    const { session_id } = await send({ message: holding });
    const { message_id, user_message_id } = await send({ session_id, message: "later" });
    return [message_id, user_message_id];
  };

  return async (number: number, sessionId: string): Promise<FuzzStates> => {
    let release = () => {};
    released = new Promise<void>((resolve) => (release = resolve));
    const exported = await owner.get<object>(`/sessions/${sessionId}/export`);
    return {
      pausedIds: [await paused(), await paused()],
      queuedIds: await queued(),
      files: [
        JSON.stringify(exported.body),
        JSON.stringify([chatGptConversation({ number, turns: 2 })]),
        JSON.stringify(libreChatConversation({ number, turns: 1 }, number % 2 === 0)),
        JSON.stringify([
          openWebUiChat({ number, turns: 1, file: "data:image/png;base64,iVBORw0KGgo=" }),
        ]),
      ],
      release,
    };
  };
}
