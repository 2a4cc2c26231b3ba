import { agents, chosenAgent, startingAgent } from "../state/catalogue.ts";
import { suggest } from "../state/composer.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";

/** Where a conversation begins: whom to talk to, and what one might ask. */
export function Welcome() {
  const texts = useTexts();
  const list = useStore(agents);
  const chosen = startingAgent(list, useStore(chosenAgent));
  const own = chosen?.suggested_prompts ?? [];
  const suggestions = own.length > 0 ? own : texts.suggestions;
  return (
    <div className="welcome">
      <h1>{texts.greeting}</h1>
      <div className="agents" role="radiogroup" aria-label={texts.chooseAgent}>
        {list.map((agent) => (
          <label
            key={agent.agent_id}
            className={agent.agent_id === chosen?.agent_id ? "agent-card chosen" : "agent-card"}
          >
            <input
              type="radio"
              name="agent"
              value={agent.agent_id}
              checked={agent.agent_id === chosen?.agent_id}
              onChange={() => chosenAgent.set(agent.agent_id)}
            />
            <span className="agent-card-name" dir="auto">
              {agent.name}
            </span>
            <span className="agent-card-about" dir="auto">
              {agent.description}
            </span>
            <span className="agent-card-facts">
              {agent.type !== "agent" && <span className="tag">{texts.kind[agent.type]}</span>}
              <span className="tag">{texts.source[agent.source] ?? agent.source}</span>
              {agent.model !== null && (
                <span className="tag" dir="auto">
                  {agent.model}
                </span>
              )}
              {agent.tools.slice(0, 4).map((tool) => (
                <span key={tool} className="tag tool" dir="auto">
                  <Icon name="tool" size={12} />
                  {tool}
                </span>
              ))}
              {agent.status === "unavailable" && (
                <span className="tag bad">{texts.unavailable}</span>
              )}
            </span>
          </label>
        ))}
      </div>
      <ul className="suggestions">
        {suggestions.map((suggestion) => (
          <li key={suggestion}>
            <button type="button" dir="auto" onClick={() => suggest(suggestion)}>
              {suggestion}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
