import { client, patiently } from "../api/client.ts";
import {
  ApiError,
  type AcceptedReply,
  type Recording,
  type Reply,
} from "../../../packages/client/src/index.ts";
import { chosenAgent } from "../state/catalogue.ts";
import { adoptTurn } from "../state/turns.ts";
import { conversation } from "../state/conversation.ts";
import { notify } from "../state/notices.ts";
import { refreshSessions } from "../state/sessions.ts";
import { tellTabs } from "../state/tabs.ts";
import { currentTexts } from "../text/use-texts.ts";
import { expectSpeech } from "./player.ts";
import { recorder } from "./recorder.ts";
import { speechFormat, voiceConfig } from "./speech-settings.ts";

const maxTries = 6;

/** Sends a recording as a message: its transcript appears as what was said. */
export async function sendRecording(sound: Blob): Promise<void> {
  const { sessionId, draftId } = conversation.get();
  const place = { sessionId, draftId: sessionId === null ? draftId : null };
  const speech = voiceConfig();
  recorder.set({ kind: "sending" });
  try {
    const {
      reply,
      sessionId: heardIn,
      messageId,
    } = await sendUntilHeard({
      audio: sound,
      ...(sessionId === null ? agentOfNew() : { session_id: sessionId }),
      enable_tts: speech !== null,
      stream_audio: speech !== null,
      format: speechFormat,
    });
    if (speech !== null) expectSpeech(messageId);
    adoptTurn(place, { sessionId: heardIn, messageId, reply }, () => undefined);
    tellTabs(heardIn);
    await refreshSessions();
  } catch (error) {
    const texts = currentTexts();
    const reason = error instanceof ApiError ? error.message : texts.offline;
    notify(
      {
        kind: "error",
        text: reason,
        // The recording is kept as long as this notice.
        action: { label: texts.sendAgain, run: () => void sendRecording(sound) },
      },
      60_000,
    );
  } finally {
    recorder.set({ kind: "idle" });
  }
}

function agentOfNew(): Pick<Recording, "agent_id"> {
  const agentId = chosenAgent.get();
  return agentId === "" ? {} : { agent_id: agentId };
}

async function sendUntilHeard(
  recording: Recording,
): Promise<AcceptedReply & { readonly reply: Reply }> {
  const giving = new AbortController();
  let tries = 0;
  let isHeard = false;
  const reply = client.voice.send(recording, {
    ...patiently,
    signal: giving.signal,
    onRetry(error) {
      tries += 1;
      if (!isHeard && tries > maxTries) giving.abort(error);
    },
  });
  const accepted = await reply.accepted;
  isHeard = true;
  return { ...accepted, reply };
}
