import { useEffect, useRef } from "react";
import { createPortal } from "react-dom";
import type { Message, SessionInfo } from "../api/types.ts";
import { Markdown } from "../markdown/markdown.tsx";
import { agentName, agents } from "../state/catalogue.ts";
import { language } from "../state/preferences.ts";
import { endPrinting } from "../state/print-conversation.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { ErrorBoundary } from "../ui/error-boundary.tsx";
import "../styles/print-view.css";

interface PrintViewProps {
  readonly session: SessionInfo;
  readonly messages: readonly Message[];
}

/** Formulas and colours are drawn after the text: it is printed when nothing has changed for so long. */
const settledMs = 400;
const longestMs = 20_000;

/** All messages one below the other; prints itself as soon as it is drawn. */
export function PrintView({ session, messages }: PrintViewProps) {
  const texts = useTexts();
  const list = useStore(agents);
  const chosenLanguage = useStore(language);
  const view = useRef<HTMLElement>(null);
  useEffect(() => {
    const element = view.current;
    if (element === null) return;
    const leaving = new AbortController();
    void settled(element, leaving.signal).then(() => {
      if (leaving.signal.aborted) return;
      window.addEventListener("afterprint", endPrinting, { once: true });
      window.print();
    });
    return () => {
      leaving.abort();
      window.removeEventListener("afterprint", endPrinting);
    };
  }, []);
  const time = (timestamp: string) =>
    new Date(timestamp).toLocaleString(chosenLanguage === "zh" ? "zh-CN" : "en-GB");
  return createPortal(
    <article className="print-view" ref={view}>
      <h1 dir="auto">{session.title ?? texts.untitled}</h1>
      {messages.map((message) => (
        <section key={message.message_id}>
          <h2>
            {message.role === "assistant"
              ? agentName(list, message.agent_id)
              : texts.hitBy[message.role]}{" "}
            <time dateTime={message.timestamp}>{time(message.timestamp)}</time>
          </h2>
          {(message.attachments ?? []).length > 0 && (
            <p className="print-files">
              {(message.attachments ?? []).map(({ name }) => name).join(", ")}
            </p>
          )}
          {message.role === "assistant" ? (
            <ErrorBoundary
              subject={message.content}
              fallback={<div className="plain">{message.content}</div>}
            >
              <Markdown
                text={message.content}
                isGrowing={false}
                id={`print-${message.message_id}`}
              />
            </ErrorBoundary>
          ) : (
            <div className="plain" dir="auto">
              {message.content}
            </div>
          )}
          {message.status !== "complete" && (
            <p className="print-files">
              {message.error?.message ?? texts.statusNames[message.status]}
            </p>
          )}
        </section>
      ))}
    </article>,
    document.body,
  );
}

/** Resolves when nothing in it changes any more, or not soon. */
async function settled(element: Element, signal: AbortSignal): Promise<void> {
  await document.fonts.ready;
  await new Promise<void>((resolve) => {
    const finish = () => {
      observer.disconnect();
      clearTimeout(quiet);
      clearTimeout(late);
      resolve();
    };
    let quiet = setTimeout(finish, settledMs);
    const late = setTimeout(finish, longestMs);
    const observer = new MutationObserver(() => {
      clearTimeout(quiet);
      quiet = setTimeout(finish, settledMs);
    });
    observer.observe(element, { childList: true, subtree: true, characterData: true });
    signal.addEventListener("abort", finish);
  });
  await document.fonts.ready;
}
