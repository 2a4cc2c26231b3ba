import { chooseSessions, knownTags, sessionList } from "../state/sessions.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";

/** Which of the conversations are listed: those that are pinned, those with a tag. */
export function MarkFilter() {
  const texts = useTexts();
  const { tag: chosen, isPinned, sessions } = useStore(sessionList);
  const tags = useStore(knownTags);
  if (tags.size === 0 && !isPinned && !sessions.some(({ pinned }) => pinned)) return null;
  return (
    <div className="chips" role="group" aria-label={texts.tags.filter}>
      <button
        type="button"
        className="chip"
        aria-pressed={isPinned}
        onClick={() => chooseSessions({ isPinned: !isPinned })}
      >
        {texts.pinned}
      </button>
      {[...tags].toSorted().map((tag) => (
        <button
          key={tag}
          type="button"
          className="chip"
          dir="auto"
          aria-pressed={tag === chosen}
          onClick={() => chooseSessions({ tag: tag === chosen ? null : tag })}
        >
          {tag}
        </button>
      ))}
    </div>
  );
}
