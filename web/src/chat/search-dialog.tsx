import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import { client } from "../api/client.ts";
import { ApiError } from "../../../packages/client/src/index.ts";
import type { Message, SearchHit } from "../api/types.ts";
import { isConnected, waitToRetry } from "../state/connection.ts";
import { goTo } from "../state/navigation.ts";
import { notifyError } from "../state/notices.ts";
import { language } from "../state/preferences.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Icon } from "../ui/icons.tsx";
import type { TakesText } from "../ui/on-demand.tsx";
import type { TextPart } from "./highlight-words.ts";
import { MarkedText } from "./marked-text.tsx";
import { noFilters, queryOf, SearchFilters } from "./search-filters.tsx";
import { shortTime } from "./words.ts";

interface SearchDialogProps extends TakesText {
  readonly onClose: () => void;
}

interface Place {
  readonly hit: SearchHit;
  readonly parts: readonly TextPart[];
}

type Query = ReturnType<typeof queryOf> & { readonly q: string };

interface Hits {
  readonly query: Query;
  readonly places: readonly Place[];
  readonly cursor: string | null;
}

const searchDelayMs = 250;
/** Pages may be empty and have more behind them; nobody is asked to go on with such a one by hand. */
const maxEmptyPages = 5;

/** Looks for words in everything that was said; a hit leads to its message, a title to its conversation. */
export function SearchDialog({ onClose, typed = "" }: SearchDialogProps) {
  const texts = useTexts();
  const chosenLanguage = useStore(language);
  const connected = useStore(isConnected);
  const [words, setWords] = useState(typed);
  const [filters, setFilters] = useState(noFilters);
  const [found, setFound] = useState<Hits | null>(null);
  const body = useRef<HTMLDivElement>(null);
  const wanted = words.trim();

  useEffect(() => {
    if (wanted === "") {
      setFound(null);
      return;
    }
    const { signal, abort } = scope();
    const timer = setTimeout(() => {
      const query = { q: wanted, ...queryOf(filters) };
      searchUntilFound({ query, places: [], cursor: null }, signal)
        .then(setFound)
        .catch((error: unknown) => {
          if (!signal.aborted) notifyError(error);
        });
    }, searchDelayMs);
    return () => {
      clearTimeout(timer);
      abort();
    };
  }, [wanted, filters]);

  const open = ({ hit }: Place) => {
    const { session_id: sessionId, message_id: messageId } = hit;
    goTo(sessionId, messageId === null ? null : { messageId, words: found?.query.q ?? "" });
    onClose();
  };
  /** Up and down through the field and what it has found; Escape closes at once, where a field would first be emptied. */
  const move = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault();
      onClose();
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    if (event.target instanceof HTMLSelectElement) return;
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
            const first = found?.places[0];
            if (first !== undefined && found?.query.q === wanted) open(first);
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
        <SearchFilters filters={filters} onChange={setFilters} />
        <p className="quiet" role="status">
          {!connected && wanted !== ""
            ? texts.offline
            : found !== null &&
              (found.places.length === 0
                ? texts.nothingFound
                : texts.places(found.places.length, found.cursor !== null))}
        </p>
        {found !== null && (
          <ul className="hits">
            {found.places.map((place) => (
              <li key={place.hit.message_id ?? place.hit.session_id}>
                <button type="button" onClick={() => open(place)}>
                  <span className="hit-head">
                    <span dir="auto">
                      {place.hit.role === null
                        ? texts.hitTitle
                        : texts.hitBy[place.hit.role as Message["role"]]}
                      {" · "}
                      {place.hit.session_title ?? texts.untitled}
                      {place.hit.session_status === "archived" && ` · ${texts.archived}`}
                    </span>
                    <time dateTime={place.hit.timestamp}>
                      {shortTime(place.hit.timestamp, chosenLanguage)}
                    </time>
                  </span>
                  <MarkedText parts={place.parts} />
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

function scope() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

/** While the service cannot be reached, it is asked again until it can, or until something else is looked for. */
async function searchUntilFound(before: Hits, signal: AbortSignal): Promise<Hits> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await nextPage(before, signal);
    } catch (error) {
      if (error instanceof ApiError && error.status < 500 && error.status !== 429) throw error;
      signal.throwIfAborted();
      await waitToRetry(attempt, signal);
    }
  }
}

async function nextPage(before: Hits, signal?: AbortSignal): Promise<Hits> {
  const { query } = before;
  let { cursor } = before;
  for (let page = 1; ; page += 1) {
    const [{ hits, pagination }, { snippetParts }] = await Promise.all([
      client.search({ ...query, limit: 30, ...(cursor !== null && { cursor }) }, { signal }),
      import("./snippet-parts.ts"),
    ]);
    cursor = pagination.next_cursor;
    if (hits.length > 0 || cursor === null || page === maxEmptyPages) {
      const places = hits.map((hit) => ({ hit, parts: snippetParts(hit) }));
      return { query, places: [...before.places, ...places], cursor };
    }
  }
}
