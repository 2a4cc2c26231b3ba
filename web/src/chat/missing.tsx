import { carryDraft } from "../state/draft-files.ts";
import { goTo } from "../state/navigation.ts";
import { readSaved } from "../state/saved.ts";
import { useTexts } from "../text/use-texts.ts";

/** In place of a conversation that is not there, or was deleted elsewhere while something was written for it. */
export function Missing({ sessionId }: { readonly sessionId: string | null }) {
  const texts = useTexts();
  const hasDraft = sessionId !== null && typeof readSaved(`draft.${sessionId}`) === "string";
  return (
    <div className="empty">
      <p>{texts.missing}</p>
      {hasDraft && (
        <button
          type="button"
          className="secondary"
          onClick={() => {
            carryDraft(sessionId);
            goTo(null);
          }}
        >
          {texts.takeDraft}
        </button>
      )}
    </div>
  );
}
