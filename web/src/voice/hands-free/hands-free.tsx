import { useEffect, useRef, useState } from "react";
import { serviceConfig } from "../../state/catalogue.ts";
import { conversation } from "../../state/conversation.ts";
import { useStore, type Store } from "../../state/store.ts";
import { useTexts } from "../../text/use-texts.ts";
import { IconButton } from "../../ui/icon-button.tsx";
import { stopSpeaking } from "../player.ts";
import { startTalk, type TalkSession } from "./talk-session.ts";
import "../../styles/hands-free.css";

interface HandsFreeProps {
  readonly onEnd: () => void;
}

/** A conversation by voice: what is heard and said is written here, and speaking over an answer stops it. */
export function HandsFree({ onEnd }: HandsFreeProps) {
  const texts = useTexts();
  const config = useStore(serviceConfig);
  const isConfigured = config?.features["transcription_enabled"] !== false;
  const [session, setSession] = useState<TalkSession | null>(null);
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    if (!isConfigured) return;
    stopSpeaking();
    const talk = startTalk();
    setSession(talk);
    const { draftId } = conversation.get();
    const unwatch = conversation.subscribe(() => {
      // Another conversation was opened: what is said was not meant for it.
      if (conversation.get().draftId !== draftId) onEnd();
    });
    // A screen that goes dark takes the microphone with it.
    const awake = navigator.wakeLock?.request("screen").catch(() => null);
    return () => {
      unwatch();
      talk.close();
      void awake?.then((lock) => lock?.release());
    };
    // oxlint-disable-next-line react/exhaustive-deps -- how it ends makes no other conversation of it
  }, [isConfigured, attempt]);

  return (
    <div className="composer-frame">
      <section className="composer hands-free" aria-label={texts.handsFree.title}>
        {!isConfigured ? (
          <Refusal text={texts.handsFree.reasons.unconfigured} onEnd={onEnd} />
        ) : (
          session !== null && (
            <Talking session={session} onEnd={onEnd} onAgain={() => setAttempt(attempt + 1)} />
          )
        )}
      </section>
    </div>
  );
}

interface TalkingProps extends HandsFreeProps {
  readonly session: TalkSession;
  readonly onAgain: () => void;
}

function Talking({ session, onEnd, onAgain }: TalkingProps) {
  const texts = useTexts();
  const { phase, heard, said, isSilent, isMuted, fault } = useStore(session.state);
  if (fault !== null) {
    const text = fault.reason === "refused" ? fault.message : texts.handsFree.reasons[fault.reason];
    return <Refusal text={text} onEnd={onEnd} onAgain={onAgain} />;
  }
  const isAnswering = phase === "answering" || phase === "speaking";
  return (
    <>
      <p className="hands-free-phase">
        <Meter level={session.level} isMuted={isMuted} />
        <span role="status">{isMuted ? texts.handsFree.muted : texts.handsFree.phases[phase]}</span>
      </p>
      {heard !== null && (
        <p className="caption" dir="auto">
          <span className="quiet">{texts.handsFree.heard}</span>{" "}
          {heard === "" ? texts.handsFree.nothingHeard : heard}
        </p>
      )}
      {said !== null && (
        <p className="caption" dir="auto">
          <span className="quiet">{texts.handsFree.said}</span> {said}
        </p>
      )}
      {isSilent && <p className="quiet">{texts.handsFree.silent}</p>}
      <div className="composer-row">
        <span className="hint">{texts.handsFree.hint}</span>
        {isAnswering && (
          <button type="button" className="stop-speaking" onClick={session.interrupt}>
            {texts.stop}
          </button>
        )}
        <IconButton
          icon={isMuted ? "muted" : "mic"}
          label={isMuted ? texts.handsFree.unmute : texts.handsFree.mute}
          aria-pressed={isMuted}
          onClick={() => session.mute(!isMuted)}
        />
        <EndButton onEnd={onEnd} />
      </div>
    </>
  );
}

interface RefusalProps extends HandsFreeProps {
  readonly text: string;
  readonly onAgain?: () => void;
}

/** Why it does not work, and what there is to do. */
function Refusal({ text, onEnd, onAgain }: RefusalProps) {
  const texts = useTexts();
  return (
    <>
      <p role="alert">{text}</p>
      <div className="composer-row">
        {onAgain !== undefined && (
          <button type="button" className="secondary" onClick={onAgain}>
            {texts.handsFree.again}
          </button>
        )}
        <EndButton onEnd={onEnd} />
      </div>
    </>
  );
}

function EndButton({ onEnd }: HandsFreeProps) {
  const texts = useTexts();
  return (
    <IconButton
      icon="close"
      label={texts.handsFree.end}
      className="stop"
      // Where messages are written is gone: the focus has to be somewhere.
      ref={(button) => {
        if (document.activeElement === document.body) button?.focus();
      }}
      onClick={onEnd}
    />
  );
}

/** Moves with every 40 ms of sound: drawn beside React, which need not know. */
function Meter({ level, isMuted }: { readonly level: Store<number>; readonly isMuted: boolean }) {
  const meter = useRef<HTMLMeterElement>(null);
  const texts = useTexts();
  useEffect(
    () =>
      level.subscribe(() => {
        if (meter.current !== null) meter.current.value = level.get();
      }),
    [level],
  );
  return (
    <meter
      ref={meter}
      className={isMuted ? "level muted" : "level"}
      min={0}
      max={1}
      aria-label={texts.handsFree.level}
    />
  );
}
