import { useEffect, useLayoutEffect, useMemo, useRef, useState, type WheelEvent } from "react";
import { Virtualizer, type VirtualizerHandle } from "virtua";
import { conversation } from "../state/conversation.ts";
import { jumpToLatest, loadNewer, loadOlder } from "../state/open-conversation.ts";
import { outbox, type Outgoing } from "../state/outbox.ts";
import type { MessageView } from "../state/reply-view.ts";
import { useStore } from "../state/store.ts";
import { withTaken, type Drawn } from "../state/taken-in.ts";
import { useTexts } from "../text/use-texts.ts";
import { IconButton } from "../ui/icon-button.tsx";
import { AssistantMessage } from "./assistant-message.tsx";
import { highlightWords } from "./highlight-words.ts";
import { PendingMessage } from "./pending-message.tsx";
import { Summary } from "./summary.tsx";
import { UserMessage } from "./user-message.tsx";

type Row =
  | { readonly kind: "start"; readonly key: "start" }
  | ({ readonly kind: "message"; readonly key: string } & Drawn)
  | { readonly kind: "pending"; readonly key: string; readonly entry: Outgoing }
  | { readonly kind: "end"; readonly key: "end" };

/** Closer to the end than this counts as reading along. */
const nearEndPx = 60;
const nearStartPx = 600;
const highlightMs = 6_000;

/** The messages of the conversation. Only those in view are drawn, however many there are. */
export function MessageList() {
  const texts = useTexts();
  const { messages, hasOlder, hasNewer, target, draftId, windowId, sessionId } =
    useStore(conversation);
  const outgoing = useStore(outbox);
  const frame = useRef<HTMLDivElement>(null);
  const list = useRef<VirtualizerHandle>(null);
  const isReadingAlong = useRef(true);
  const last = useRef({ offset: 0, size: 0 });
  const [isAway, setAway] = useState(false);

  const rows = useMemo((): readonly Row[] => {
    const pending = outgoing.filter((entry) =>
      entry.sessionId === null ? entry.draftId === draftId : entry.sessionId === sessionId,
    );
    return [
      { kind: "start", key: "start" },
      ...withTaken(messages).map((drawn) => ({
        kind: "message" as const,
        key: drawn.message.message_id,
        ...drawn,
      })),
      ...(hasNewer
        ? []
        : pending.map((entry) => ({ kind: "pending" as const, key: entry.key, entry }))),
      { kind: "end", key: "end" },
    ];
  }, [messages, outgoing, hasNewer, draftId, sessionId]);

  const firstId = messages[0]?.message_id;
  const previous = useRef({ windowId, firstId, count: rows.length });
  // Older messages were put in front: the view stays where it is, seen from the end.
  const isShifted =
    previous.current.windowId === windowId &&
    previous.current.firstId !== firstId &&
    rows.length > previous.current.count &&
    previous.current.firstId !== undefined;

  /** Not by `scrollToIndex`: that goes on for a while by itself, against a reader who scrolls up meanwhile. */
  const toEnd = () => {
    const element = frame.current;
    if (element === null) return;
    element.scrollTop = element.scrollHeight;
  };

  useLayoutEffect(() => {
    if (previous.current.windowId !== windowId) {
      isReadingAlong.current = target === null;
      last.current = { offset: 0, size: 0 };
    }
    const hasNewPending = rows.at(-2)?.kind === "pending" && rows.length > previous.current.count;
    if (hasNewPending) isReadingAlong.current = true;
    previous.current = { windowId, firstId, count: rows.length };
    if (isReadingAlong.current) toEnd();
  }, [rows]);

  useEffect(() => {
    if (target === null) return;
    const index = rows.findIndex(({ key }) => key === target.messageId);
    if (index === -1) return;
    isReadingAlong.current = false;
    list.current?.scrollToIndex(index, { align: "center" });
    let over: ReturnType<typeof setTimeout> | undefined;
    // It may take a moment until it is drawn, and it may be drawn anew while it is marked.
    const shown = setInterval(() => {
      const element = document.getElementById(`message-${target.messageId}`);
      if (element === null) return;
      element.classList.add("found");
      highlightWords(element, target.words);
      over ??= setTimeout(end, highlightMs);
    }, 200);
    const end = () => {
      clearInterval(shown);
      highlightWords(null, "");
      document.getElementById(`message-${target.messageId}`)?.classList.remove("found");
    };
    document.getElementById(`message-${target.messageId}`)?.focus({ preventScroll: true });
    return () => {
      clearTimeout(over);
      end();
    };
  }, [target]);

  // Whoever reached the start while a page was on its way scrolls no more: nothing else would ask for the next one.
  useEffect(() => {
    let frameId = requestAnimationFrame(() => {
      frameId = requestAnimationFrame(() => {
        const isNearStart = (frame.current?.scrollTop ?? nearStartPx) < nearStartPx;
        if (isNearStart && hasOlder && !isReadingAlong.current) void loadOlder();
      });
    });
    return () => cancelAnimationFrame(frameId);
  }, [rows, hasOlder]);

  const onScroll = (offset: number) => {
    const handle = list.current;
    if (handle === null) return;
    const shown = conversation.get();
    if (shown.messages.length === 0 && outgoing.length === 0) return;
    const toGo = handle.scrollSize - handle.viewportSize - offset;
    // Rows that turn out smaller than they were thought to be move the view up by as much.
    const shrunk = Math.max(0, last.current.size - handle.scrollSize);
    if (toGo < nearEndPx) isReadingAlong.current = !shown.hasNewer;
    else if (offset < last.current.offset - shrunk - 1) isReadingAlong.current = false;
    last.current = { offset, size: handle.scrollSize };
    setAway((toGo > handle.viewportSize * 0.7 && !isReadingAlong.current) || shown.hasNewer);
    if (offset < nearStartPx && shown.hasOlder && !isReadingAlong.current) void loadOlder();
    if (toGo < nearStartPx && shown.hasNewer) void loadNewer();
  };
  // At once: words that arrive before the view has moved would move it back.
  const onWheel = ({ deltaY }: WheelEvent) => {
    if (deltaY < 0 && (frame.current?.scrollTop ?? 0) > 0) isReadingAlong.current = false;
  };

  return (
    <div className="messages-frame">
      <div
        className="messages"
        ref={frame}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={texts.log}
        onWheel={onWheel}
      >
        <Virtualizer
          key={windowId}
          ref={list}
          scrollRef={frame}
          data={rows}
          shift={isShifted}
          bufferSize={600}
          onScroll={onScroll}
          onResize={() => {
            if (isReadingAlong.current) toEnd();
          }}
        >
          {(row) => (
            <RowView
              key={row.key}
              row={row}
              hasOlder={hasOlder}
              isLast={isLastReply(row, messages)}
            />
          )}
        </Virtualizer>
      </div>
      {isAway && (
        <IconButton
          icon="down"
          label={texts.latest}
          className="to-latest"
          onClick={() => {
            isReadingAlong.current = true;
            if (hasNewer) void jumpToLatest();
            else toEnd();
          }}
        />
      )}
    </div>
  );
}

function isLastReply(row: Row, messages: readonly MessageView[]): boolean {
  return (
    row.kind === "message" && row.message === messages.findLast(({ role }) => role !== "system")
  );
}

function RowView({
  row,
  hasOlder,
  isLast,
}: {
  readonly row: Row;
  readonly hasOlder: boolean;
  readonly isLast: boolean;
}) {
  const texts = useTexts();
  switch (row.kind) {
    case "start":
      return <div className="list-start">{hasOlder && <span>{texts.loading}</span>}</div>;
    case "end":
      return <div className="list-end" />;
    case "pending":
      return <PendingMessage entry={row.entry} />;
    case "message":
      if (row.message.role === "system") return <Summary message={row.message} />;
      return row.message.role === "assistant" ? (
        <AssistantMessage message={row.message} taken={row.taken} isLast={isLast} />
      ) : (
        <UserMessage message={row.message} />
      );
  }
}
