import { attempt } from "../state/attempt.ts";
import { addressedAgent, agents, chosenAgent, models } from "../state/catalogue.ts";
import { chooseAgent, chooseModel, modelsToChoose } from "../state/choose.ts";
import { newConfig } from "../state/conversation-config.ts";
import { conversation } from "../state/conversation.ts";
import { usePart, useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";

/** Who answers the next message: the agent, and where it lets one choose, its model. */
export function ModelPicker() {
  const texts = useTexts();
  const list = useStore(agents);
  const all = useStore(models);
  const session = usePart(conversation, (current) => current.session);
  const beginning = useStore(newConfig);
  const agent = addressedAgent(list, session, useStore(chosenAgent));
  const config: { readonly model?: unknown } = session?.config ?? beginning;
  const model = typeof config.model === "string" ? config.model : null;
  const able = modelsToChoose(all, model);
  const agentId = session?.agent_id ?? agent?.agent_id ?? "";
  return (
    <span className="pickers">
      {/* Where a conversation begins, they stand on the page with what they are. */}
      {session !== null && list.length > 1 && (
        <select
          className="picker"
          aria-label={texts.kind.agent}
          title={texts.kind.agent}
          value={agentId}
          onChange={({ target: { value } }) => attempt(() => chooseAgent(value))}
        >
          {agent === null && <option value={agentId}>{agentId}</option>}
          {list.map(({ agent_id: id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      )}
      {agent?.settings.includes("model") === true && able.length > 0 && (
        <select
          className="picker"
          aria-label={texts.model}
          title={texts.model}
          value={model ?? ""}
          onChange={({ target: { value } }) =>
            attempt(() => chooseModel(value === "" ? null : value))
          }
        >
          <option value="">{agent.model ?? texts.defaultModel}</option>
          {able.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      )}
    </span>
  );
}
