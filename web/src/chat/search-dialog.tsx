import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import { client } from "../api/client.ts";
import type { Message, SearchHit } from "../api/types.ts";
import { goTo } from "../state/navigation.ts";
import { notifyError } from "../state/notices.ts";
import { language } from "../state/preferences.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Icon } from "../ui/icons.tsx";
import type { TextPart } from "./highlight-words.ts";
import { MarkedText } from "./marked-text.tsx";
import { shortTime } from "./words.ts";

interface SearchDialogProps {
  readonly onClose: () => void;
}

interface Hits {
  readonly words: string;
  readonly hits: readonly SearchHit[];
  readonly cursor: string | null;
}

const searchDelayMs = 250;
/** Pages may be empty and have more behind them; nobody is asked to go on with such a one by hand. */
const maxEmptyPages = 5;

/** Looks for words in everything that was said; a hit leads to its message, a title to its conversation. */
export function SearchDialog({ onClose }: SearchDialogProps) {
  const texts = useTexts();
  const chosenLanguage = useStore(language);
  const [words, setWords] = useState("");
  const [found, setFound] = useState<Hits | null>(null);
  const body = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const wanted = words.trim();
    if (wanted === "") {
      setFound(null);
      return;
    }
    const controller = new AbortController();
    const timer = setTimeout(() => {
      nextPage({ words: wanted, hits: [], cursor: null }, controller.signal)
        .then(setFound)
        .catch((error: unknown) => {
          if (!controller.signal.aborted) notifyError(error);
        });
    }, searchDelayMs);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [words]);

  const open = (hit: SearchHit) => {
    const { session_id: sessionId, message_id: messageId } = hit;
    goTo(sessionId, messageId === null ? null : { messageId, words: found?.words ?? "" });
    onClose();
  };
  /** Up and down through the field and what it has found; Escape closes at once, where a field would first be emptied. */
  const move = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      event.preventDefault();
      onClose();
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const stops = [...(body.current?.querySelectorAll<HTMLElement>("input, .hits button") ?? [])];
    const at = stops.findIndex((stop) => stop === document.activeElement);
    event.preventDefault();
    stops.at((at + (event.key === "ArrowDown" ? 1 : -1)) % stops.length)?.focus();
  };

  return (
    <Dialog title={texts.searchEverything} onClose={onClose}>
      <div className="search-everything" role="search" ref={body} onKeyDown={move}>
        <form
          className="search-field"
          onSubmit={(event) => {
            event.preventDefault();
            const first = found?.hits[0];
            if (first !== undefined && found?.words === words.trim()) open(first);
          }}
        >
          <Icon name="search" size={17} />
          <input
            type="search"
            value={words}
            maxLength={500}
            // Whichever element has it, the dialog gives the focus to.
            ref={(input) => input?.setAttribute("autofocus", "")}
            aria-label={texts.searchEverything}
            placeholder={texts.searchEverything}
            onChange={(event) => setWords(event.target.value)}
          />
        </form>
        <p className="quiet" role="status">
          {found !== null &&
            (found.hits.length === 0
              ? texts.nothingFound
              : texts.places(found.hits.length, found.cursor !== null))}
        </p>
        {found !== null && (
          <ul className="hits">
            {found.hits.map((hit) => (
              <li key={hit.message_id ?? hit.session_id}>
                <button type="button" onClick={() => open(hit)}>
                  <span className="hit-head">
                    <span dir="auto">
                      {hit.role === null
                        ? texts.hitTitle
                        : texts.hitBy[hit.role as Message["role"]]}
                      {" · "}
                      {hit.session_title ?? texts.untitled}
                    </span>
                    <time dateTime={hit.timestamp}>{shortTime(hit.timestamp, chosenLanguage)}</time>
                  </span>
                  <MarkedText parts={partsOf(hit)} />
                </button>
              </li>
            ))}
          </ul>
        )}
        {found !== null && found.cursor !== null && (
          <button
            type="button"
            className="link-button show-more"
            onClick={() => void nextPage(found).then(setFound).catch(notifyError)}
          >
            {texts.showMore}
          </button>
        )}
      </div>
    </Dialog>
  );
}

async function nextPage(before: Hits, signal?: AbortSignal): Promise<Hits> {
  let cursor = before.cursor;
  for (let page = 1; ; page += 1) {
    const { hits, pagination } = await client.search(
      { q: before.words, limit: 30, ...(cursor !== null && { cursor }) },
      { signal },
    );
    cursor = pagination.next_cursor;
    if (hits.length > 0 || cursor === null || page === maxEmptyPages) {
      return { words: before.words, hits: [...before.hits, ...hits], cursor };
    }
  }
}

/** The snippet in marked and other parts. */
function partsOf({ snippet, matches }: SearchHit): TextPart[] {
  const parts: TextPart[] = [];
  let at = 0;
  for (const [start = at, end = start] of matches) {
    parts.push({ text: snippet.slice(at, start), isFound: false });
    parts.push({ text: snippet.slice(start, end), isFound: true });
    at = end;
  }
  parts.push({ text: snippet.slice(at), isFound: false });
  return parts.filter(({ text }) => text !== "");
}
