import { useEffect, useState } from "react";
import { client } from "../api/client.ts";
import type { Message } from "../api/types.ts";
import { jumpTo } from "../state/open-conversation.ts";
import { notifyError } from "../state/notices.ts";
import { language } from "../state/preferences.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { IconButton } from "../ui/icon-button.tsx";
import { Icon } from "../ui/icons.tsx";
import type { TakesText } from "../ui/on-demand.tsx";
import { excerpt, type TextPart } from "./highlight-words.ts";
import { MarkedText } from "./marked-text.tsx";
import { shortTime } from "./words.ts";

interface SearchPanelProps extends TakesText {
  readonly sessionId: string;
  readonly onClose: () => void;
}

interface Place {
  readonly message: Message;
  readonly parts: readonly TextPart[];
}

interface Hits {
  readonly words: string;
  readonly places: readonly Place[];
  readonly total: number;
  readonly cursor: string | null;
}

const searchDelayMs = 250;
const pageSize = 30;

/** Looks for words in the whole conversation; a hit leads to its message. */
export function SearchPanel({ sessionId, onClose, typed = "" }: SearchPanelProps) {
  const texts = useTexts();
  const chosenLanguage = useStore(language);
  const [words, setWords] = useState(typed);
  const [hits, setHits] = useState<Hits | null>(null);

  useEffect(() => {
    const wanted = words.trim();
    if (wanted === "") {
      setHits(null);
      return;
    }
    const controller = new AbortController();
    const timer = setTimeout(() => {
      client.messages
        .history(sessionId, { q: wanted, limit: pageSize }, { signal: controller.signal })
        .then(async ({ messages, pagination }) => {
          const places = await placesOf(messages, wanted);
          if (controller.signal.aborted) return;
          setHits({
            words: wanted,
            places,
            total: pagination.total,
            cursor: pagination.next_cursor,
          });
        })
        .catch((error: unknown) => {
          if (!controller.signal.aborted) notifyError(error);
        });
    }, searchDelayMs);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [words, sessionId]);

  const more = async ({ words: wanted, places, cursor }: Hits) => {
    if (cursor === null) return;
    const page = await client.messages.history(sessionId, { q: wanted, limit: pageSize, cursor });
    setHits({
      words: wanted,
      places: [...places, ...(await placesOf(page.messages, wanted))],
      total: page.pagination.total,
      cursor: page.pagination.next_cursor,
    });
  };

  return (
    <section
      className="search-panel"
      aria-label={texts.searchMessages}
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
      }}
    >
      <div className="search-field">
        <Icon name="search" size={17} />
        <input
          type="search"
          value={words}
          maxLength={500}
          aria-label={texts.searchMessages}
          placeholder={texts.searchMessages}
          ref={(input) => {
            if (input !== null && input.dataset["focused"] === undefined) {
              input.dataset["focused"] = "";
              input.focus();
            }
          }}
          onChange={(event) => setWords(event.target.value)}
        />
        <IconButton icon="close" size={17} label={texts.close} onClick={onClose} />
      </div>
      {hits !== null && (
        <>
          <p className="quiet" role="status">
            {hits.total === 0 ? texts.nothingFound : texts.hits(hits.total)}
          </p>
          <ul className="hits">
            {hits.places.map(({ message, parts }) => (
              <li key={message.message_id}>
                <button
                  type="button"
                  onClick={() => {
                    void jumpTo(message.message_id, hits.words);
                    // On a narrow screen the hits lie over the messages.
                    if (matchMedia("(width <= 800px)").matches) onClose();
                  }}
                >
                  <span className="hit-head">
                    <span>{texts.hitBy[message.role]}</span>
                    <time dateTime={message.timestamp}>
                      {shortTime(message.timestamp, chosenLanguage)}
                    </time>
                  </span>
                  <MarkedText parts={parts} />
                </button>
              </li>
            ))}
          </ul>
          {hits.cursor !== null && (
            <button
              type="button"
              className="link-button show-more"
              onClick={() => void more(hits).catch(notifyError)}
            >
              {texts.showMore}
            </button>
          )}
        </>
      )}
    </section>
  );
}

/** What Markdown is made readable with is there before the first place is found: with the messages. */
async function placesOf(messages: readonly Message[], words: string): Promise<Place[]> {
  const { plainText } = await import("../markdown/plain-text.ts");
  return messages.map((message) => {
    const isWritten = message.role === "user";
    const text = isWritten ? message.content : plainText(message.content);
    return { message, parts: excerpt(text, words) };
  });
}
