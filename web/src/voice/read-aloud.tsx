import { useState } from "react";
import { client } from "../api/client.ts";
import { serviceConfig } from "../state/catalogue.ts";
import { notifyError } from "../state/notices.ts";
import type { MessageView } from "../state/reply-view.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { IconButton } from "../ui/icon-button.tsx";
import { play, speaking, stopSpeaking } from "./player.ts";
import { canSpeak, speechFormat } from "./speech-settings.ts";

/** The service takes no more at once. */
const maxSpokenLength = 4_000;

function synthesize(text: string): Promise<Blob> {
  return client.voice.synthesize({ text: text.slice(0, maxSpokenLength), format: speechFormat });
}

/** Says a message: its kept speech, or new speech of its text. */
export function ReadAloud({ message }: { readonly message: MessageView }) {
  const texts = useTexts();
  const config = useStore(serviceConfig);
  const isSpeaking = useStore(speaking) === message.message_id;
  const [isLoading, setLoading] = useState(false);
  if (!canSpeak(config) || message.content.trim() === "") return null;
  const read = async () => {
    setLoading(true);
    stopSpeaking();
    const audioId = message.audio?.["audio_id"];
    const kept =
      typeof audioId === "string" ? await client.voice.audio(audioId).catch(() => null) : null;
    play(message.message_id, kept ?? (await synthesize(message.content)));
  };
  return (
    <IconButton
      icon={isSpeaking ? "stop" : "speaker"}
      size={17}
      label={isSpeaking ? texts.stopSpeaking : texts.readAloud}
      disabled={isLoading}
      onClick={() => {
        if (isSpeaking) stopSpeaking();
        else {
          read()
            .catch(notifyError)
            .finally(() => setLoading(false));
        }
      }}
    />
  );
}
