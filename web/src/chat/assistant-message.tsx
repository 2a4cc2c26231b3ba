import type { Media } from "../api/types.ts";
import { memo, useState } from "react";
import { Markdown } from "../markdown/markdown.tsx";
import { agentName, agents } from "../state/catalogue.ts";
import { withdraw } from "../state/waiting.ts";
import { language } from "../state/preferences.ts";
import type { MessageView } from "../state/reply-view.ts";
import { fork, regenerate } from "../state/branches.ts";
import { useStore } from "../state/store.ts";
import { partsOf } from "../state/taken-in.ts";
import { useTexts } from "../text/use-texts.ts";
import { CopyButton } from "../ui/copy-button.tsx";
import { ErrorBoundary } from "../ui/error-boundary.tsx";
import { IconButton } from "../ui/icon-button.tsx";
import { Icon } from "../ui/icons.tsx";
import { ReadAloud } from "../voice/read-aloud.tsx";
import { Approvals } from "./approvals.tsx";
import { CopyLink } from "./copy-link.tsx";
import { DeleteMessage } from "./delete-message.tsx";
import { AgainWith } from "./again-with.tsx";
import { Failure } from "./failure.tsx";
import { Figures } from "./figures.tsx";
import { MediaList } from "./media-list.tsx";
import { RateReply, RatingReasons } from "./rate-reply.tsx";
import { Reasoning } from "./reasoning.tsx";
import { Sources } from "./sources.tsx";
import { Steps } from "./steps.tsx";
import { Suggestions } from "./suggestions.tsx";
import { Tasks } from "./tasks.tsx";
import { UserMessage } from "./user-message.tsx";
import { Versions } from "./versions.tsx";
import { isExpected, WhenBack } from "./when-back.tsx";
import { shortTime } from "./words.ts";

interface AssistantMessageProps {
  readonly message: MessageView;
  /** What the user said while it was made, for it to take in. */
  readonly taken: readonly MessageView[];
  /** Nothing follows it. */
  readonly isLast: boolean;
}

export const AssistantMessage = memo(({ message, taken, isLast }: AssistantMessageProps) => {
  const texts = useTexts();
  const list = useStore(agents);
  const chosenLanguage = useStore(language);
  const [isExplained, setExplained] = useState(false);
  const [isGivingReasons, setGivingReasons] = useState(false);
  const { status, content } = message;
  const position = message.live?.position ?? null;
  const isRunning = status === "streaming";
  const isOver = !isRunning && status !== "queued" && status !== "paused";
  const isSilent = isRunning && content === "" && (message.reasoning ?? "") === "";
  const name = agentName(list, message.agent_id);
  const parts = partsOf(message, taken);

  return (
    <article
      className={`message assistant ${status}`}
      id={`message-${message.message_id}`}
      tabIndex={-1}
      aria-label={name}
      aria-busy={isRunning}
    >
      <header>
        <h2 className="agent-name" dir="auto">
          {name}
        </h2>
        {message.model !== undefined && (
          <span className="model-name" dir="auto" title={texts.model}>
            {message.model}
          </span>
        )}
      </header>
      {status === "queued" && (
        <p className="message-note">
          <Icon name="clock" size={15} />
          <span>
            {message.live?.needsDecision === true
              ? texts.queuedForDecision
              : position === null
                ? texts.queuedShort
                : texts.queued(position)}
          </span>
          <button type="button" className="link-button" onClick={() => void withdraw(message)}>
            {texts.withdraw}
          </button>
        </p>
      )}
      <Reasoning text={message.reasoning ?? ""} isGrowing={isRunning && content === ""} />
      <Steps message={message} />
      <Tasks tasks={message.tasks ?? []} />
      {parts.map((part, index) => {
        if (part.kind === "message") {
          return <UserMessage key={part.message.message_id} message={part.message} />;
        }
        const { text } = part;
        const id = index === 0 ? message.message_id : `${message.message_id}-${index}`;
        return (
          <ErrorBoundary key={id} subject={text} fallback={<div className="plain">{text}</div>}>
            <Markdown text={text} isGrowing={isRunning && index === parts.length - 1} id={id} />
          </ErrorBoundary>
        );
      })}
      {isSilent && (
        <p className="writing">
          <span className="dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          <span className="off-screen">{texts.writing}</span>
        </p>
      )}
      <MediaList media={(message.media ?? []) as unknown as readonly Media[]} />
      <Sources sources={message.sources ?? []} />
      {status === "paused" && <Approvals message={message} />}
      <EndNote message={message} />
      {isLast && status === "complete" && <Suggestions suggestions={message.suggestions ?? []} />}
      {isLast && isExpected(message) && <WhenBack message={message} />}
      {isOver && (
        <div className={isLast ? "message-actions lasting" : "message-actions"}>
          <Versions message={message} />
          <CopyButton text={content} />
          <CopyLink message={message} />
          <ReadAloud message={message} />
          <RateReply message={message} onRated={setGivingReasons} />
          <IconButton
            icon="retry"
            size={17}
            label={texts.retry}
            onClick={() => void regenerate(message)}
          />
          <AgainWith message={message}>
            <Icon name="swap" size={17} />
          </AgainWith>
          <IconButton
            icon="info"
            size={17}
            label={texts.details}
            aria-expanded={isExplained}
            onClick={() => setExplained(!isExplained)}
          />
          <IconButton icon="fork" size={17} label={texts.fork} onClick={() => void fork(message)} />
          <DeleteMessage message={message} />
          <time dateTime={message.timestamp}>{shortTime(message.timestamp, chosenLanguage)}</time>
        </div>
      )}
      {isGivingReasons && (
        <RatingReasons message={message} onClose={() => setGivingReasons(false)} />
      )}
      {isExplained && <Figures message={message} />}
    </article>
  );
});

/** How it ended, unless it ended well. */
function EndNote({ message }: { readonly message: MessageView }) {
  const texts = useTexts();
  switch (message.status) {
    case "cancelled":
      return <p className="message-note">{texts.cancelledNote}</p>;
    case "interrupted":
    case "failed":
      return <Failure message={message} />;
    case "complete":
      return message.finish_reason === "length" ? (
        <p className="message-note">{texts.lengthNote}</p>
      ) : null;
    case "queued":
    case "streaming":
    case "paused":
      return null;
  }
}
