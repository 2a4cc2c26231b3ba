import { useEffect, useRef, useState } from "react";
import { serviceConfig } from "../state/catalogue.ts";
import { notify } from "../state/notices.ts";
import { useStore } from "../state/store.ts";
import { currentTexts, useTexts } from "../text/use-texts.ts";
import { IconButton } from "../ui/icon-button.tsx";
import { speaking, startPlayer, stopSpeaking } from "./player.ts";
import { giveUpRecording, recorder, startRecording, stopRecording } from "./recorder.ts";
import { sendRecording } from "./send-recording.ts";
import { isTalking } from "./talking.ts";
import { canListen, canSpeak, canUnderstand, wantsSpeech } from "./speech-settings.ts";

startPlayer();

/** Pressed longer than this, the button is one to hold while talking; otherwise it switches recording on. */
const holdMs = 350;

/** Talking and listening; nothing of it where the service has no speech. */
export function VoiceControls() {
  const texts = useTexts();
  const config = useStore(serviceConfig);
  const spoken = useStore(speaking);
  const isWanted = useStore(wantsSpeech);
  return (
    <>
      {spoken !== null && (
        <button type="button" className="stop-speaking" onClick={stopSpeaking}>
          {texts.stopSpeaking}
        </button>
      )}
      {canSpeak(config) && (
        <IconButton
          icon={isWanted ? "speaker" : "muted"}
          label={texts.speakReplies}
          aria-pressed={isWanted}
          onClick={() => {
            if (isWanted) stopSpeaking();
            wantsSpeech.set(!isWanted);
          }}
        />
      )}
      {canListen(config) && <RecordButton />}
      {canUnderstand(config) && (
        <IconButton
          icon="waves"
          label={texts.handsFree.begin}
          onClick={() => isTalking.set(true)}
        />
      )}
    </>
  );
}

function RecordButton() {
  const texts = useTexts();
  const state = useStore(recorder);
  const pressedMs = useRef<number | null>(null);
  const isActive = state.kind === "recording" || state.kind === "starting";

  const begin = () => {
    stopSpeaking();
    startRecording((sound) => {
      if (sound !== null && sound.size > 0) void sendRecording(sound);
    }).catch(() => notify({ kind: "error", text: currentTexts().noMicrophone }));
  };
  const release = () => {
    const since = pressedMs.current;
    pressedMs.current = null;
    if (since !== null && performance.now() - since > holdMs) stopRecording();
  };
  return (
    <>
      {state.kind === "recording" && (
        <>
          <Timer sinceMs={state.sinceMs} />
          <IconButton icon="close" label={texts.discard} onClick={giveUpRecording} />
        </>
      )}
      {state.kind === "sending" && (
        <span className="hint recording shimmer" role="status">
          {texts.listening}
        </span>
      )}
      <IconButton
        icon={isActive ? "send" : "mic"}
        label={isActive ? texts.sendRecording : texts.talk}
        className={isActive ? "send" : ""}
        disabled={state.kind === "sending"}
        onPointerDown={(event) => {
          if (event.button !== 0 || state.kind !== "idle") return;
          pressedMs.current = performance.now();
          event.currentTarget.setPointerCapture(event.pointerId);
          begin();
        }}
        onPointerUp={release}
        onPointerCancel={release}
        onClick={(event) => {
          // What the pointer began ends at its release or with the next click; keys click without a pointer.
          if (isActive && pressedMs.current === null && state.kind === "recording") {
            if (performance.now() - state.sinceMs > holdMs) stopRecording();
          } else if (event.detail === 0 && state.kind === "idle") begin();
        }}
      />
    </>
  );
}

function Timer({ sinceMs }: { readonly sinceMs: number }) {
  const texts = useTexts();
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 250);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.floor((now - sinceMs) / 1000));
  return (
    <span className="hint recording">
      <span className="activity" aria-hidden="true" />
      <span role="status">{texts.recording}</span>
      {` ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`}
    </span>
  );
}
