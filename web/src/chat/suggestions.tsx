import { newConfig } from "../state/conversation-config.ts";
import { sendMessage } from "../state/send.ts";
import { useTexts } from "../text/use-texts.ts";

/** What the agent thinks that the user might say next: a click says it. */
export function Suggestions({ suggestions }: { readonly suggestions: readonly string[] }) {
  const texts = useTexts();
  if (suggestions.length === 0) return null;
  return (
    <ul className="suggestions next" aria-label={texts.nextSuggestions}>
      {suggestions.map((suggestion) => (
        <li key={suggestion}>
          <button
            type="button"
            dir="auto"
            onClick={() => sendMessage(suggestion, null, newConfig.get())}
          >
            {suggestion}
          </button>
        </li>
      ))}
    </ul>
  );
}
