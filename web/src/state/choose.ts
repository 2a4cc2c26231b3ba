import { client } from "../api/client.ts";
import type { Model, SessionConfig } from "../api/types.ts";
import { chosenAgent } from "./catalogue.ts";
import { newConfig } from "./conversation-config.ts";
import { conversation, updateConversation } from "./conversation.ts";
import { noteSession } from "./sessions.ts";

/** What is being told of a conversation: messages wait for it, or they would be answered by the model before. */
let settling: Promise<unknown> = Promise.resolve();

/** Resolves when what was chosen has been told, or could not be. */
export async function choicesSettled(): Promise<void> {
  await settling.catch(() => undefined);
}

/** Whom the open conversation, or the one about to begin, is held with from the next message on. */
export function chooseAgent(agentId: string): Promise<void> {
  const { sessionId } = conversation.get();
  if (sessionId === null) {
    chosenAgent.set(agentId);
    return Promise.resolve();
  }
  return change(sessionId, { agent_id: agentId });
}

/** Which model answers from the next message on; null: the agent's own. */
export function chooseModel(model: string | null): Promise<void> {
  const { sessionId } = conversation.get();
  if (sessionId !== null) return change(sessionId, { config: { model } });
  newConfig.set(({ model: _before, ...others }) => ({
    ...others,
    ...(model !== null && { model }),
  }));
  return Promise.resolve();
}

/** Models that can hold a conversation, and the one that was chosen, whatever is known of it. */
export function modelsToChoose(models: readonly Model[], chosen: string | null): readonly Model[] {
  const able = models.filter(({ can_chat: canChat }) => canChat);
  if (chosen === null || able.some(({ id }) => id === chosen)) return able;
  return [{ id: chosen, name: chosen, provider: "", can_chat: true }, ...able];
}

interface Change {
  readonly agent_id?: string;
  readonly config?: SessionConfig;
}

/** Shown at once; taken back when it cannot be told. Raises why. */
async function change(sessionId: string, change: Change): Promise<void> {
  const { session: before } = conversation.get();
  if (before !== null) {
    updateConversation({
      session: { ...before, ...change, config: { ...before.config, ...change.config } },
    });
  }
  const told = choicesSettled().then(() => client.sessions.update(sessionId, change));
  settling = told;
  const isOpen = () => conversation.get().sessionId === sessionId;
  try {
    const session = await told;
    noteSession(session);
    if (isOpen()) updateConversation({ session });
  } catch (error) {
    if (isOpen()) updateConversation({ session: before });
    throw error;
  }
}
