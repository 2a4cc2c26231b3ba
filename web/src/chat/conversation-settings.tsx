import { useState } from "react";
import { client } from "../api/client.ts";
import type { SessionConfig } from "../api/types.ts";
import { modelsToChoose } from "../state/choose.ts";
import { agents, chosenAgent, models, startingAgent } from "../state/catalogue.ts";
import { newConfig } from "../state/conversation-config.ts";
import { conversation } from "../state/conversation.ts";
import { syncConversation } from "../state/sync.ts";
import { notifyError } from "../state/notices.ts";
import { usePart, useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Dialog } from "../ui/dialog.tsx";

/** Agent, model and instructions of the conversation, or of the one about to begin. */
export function ConversationSettings({ onClose }: { readonly onClose: () => void }) {
  const texts = useTexts();
  const agentList = useStore(agents);
  const session = usePart(conversation, (current) => current.session);
  const before: SessionConfig = session?.config ?? newConfig.get();
  const [agentId, setAgentId] = useState(
    session?.agent_id ?? startingAgent(agentList, chosenAgent.get())?.agent_id ?? "",
  );
  const [model, setModel] = useState(before.model ?? "");
  const modelList = modelsToChoose(useStore(models), before.model ?? null);
  const [instructions, setInstructions] = useState(before.instructions ?? "");
  const [temperature, setTemperature] = useState(before.temperature?.toString() ?? "");

  const takes = (name: string) =>
    agentList.find((agent) => agent.agent_id === agentId)?.settings.includes(name) ?? true;

  const save = async () => {
    const config: SessionConfig = {
      model: model === "" ? null : model,
      instructions: instructions.trim() === "" ? null : instructions,
      temperature: temperature === "" ? null : Number(temperature),
    };
    if (session === null) {
      chosenAgent.set(agentId);
      newConfig.set(
        Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null)),
      );
    } else {
      await client.sessions.update(session.session_id, { agent_id: agentId, config });
      await syncConversation();
    }
    onClose();
  };

  return (
    <Dialog title={texts.conversationSettings} onClose={onClose}>
      <form
        className="settings-form"
        onSubmit={(event) => {
          event.preventDefault();
          save().catch(notifyError);
        }}
      >
        <label>
          {texts.kind.agent}
          <select value={agentId} onChange={(event) => setAgentId(event.target.value)}>
            {agentList.map((agent) => (
              <option key={agent.agent_id} value={agent.agent_id}>
                {agent.name}
              </option>
            ))}
          </select>
        </label>
        {takes("model") && modelList.length > 0 && (
          <label>
            {texts.model}
            <select value={model} onChange={(event) => setModel(event.target.value)}>
              <option value="">{texts.defaultModel}</option>
              {modelList.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
        {takes("instructions") && (
          <label>
            {texts.instructions}
            <textarea
              rows={4}
              value={instructions}
              placeholder={texts.instructionsHint}
              onChange={(event) => setInstructions(event.target.value)}
            />
          </label>
        )}
        {takes("temperature") && (
          <label>
            {texts.temperature}
            <input
              type="number"
              min={0}
              max={2}
              step={0.1}
              value={temperature}
              placeholder={texts.temperatureHint}
              onChange={(event) => setTemperature(event.target.value)}
            />
          </label>
        )}
        {!takes("instructions") && <p className="hint">{texts.settingsOfAgent}</p>}
        <div className="form-buttons">
          <button type="button" className="secondary" onClick={onClose}>
            {texts.cancel}
          </button>
          <button type="submit" className="primary">
            {texts.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
