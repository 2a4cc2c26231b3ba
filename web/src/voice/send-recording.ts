import { chatApi } from "../api/chat-api.ts";
import { ApiError, Unreachable } from "../api/request.ts";
import { chosenAgent } from "../state/catalogue.ts";
import { adoptTurn } from "../state/turns.ts";
import { conversation } from "../state/conversation.ts";
import { waitToRetry } from "../state/connection.ts";
import { notify } from "../state/notices.ts";
import { refreshSessions } from "../state/sessions.ts";
import { tellTabs } from "../state/tabs.ts";
import { currentTexts } from "../text/use-texts.ts";
import { expectSpeech } from "./player.ts";
import { recorder } from "./recorder.ts";
import { speechFormat, voiceConfig } from "./speech-settings.ts";

const never = new AbortController().signal;
const maxTries = 6;

/** Sends a recording as a message: its transcript appears as what was said. */
export async function sendRecording(sound: Blob): Promise<void> {
  const { sessionId, draftId } = conversation.get();
  const place = { sessionId, draftId: sessionId === null ? draftId : null };
  const speech = voiceConfig();
  const message = {
    sessionId,
    agentId: sessionId === null ? chosenAgent.get() || null : null,
    sound,
    key: crypto.randomUUID(),
    isSpoken: speech !== null,
    format: speechFormat,
  };
  recorder.set({ kind: "sending" });
  try {
    const response = await sendUntilHeard(message);
    const accepted = {
      sessionId: response.headers.get("X-Session-ID") ?? "",
      messageId: response.headers.get("X-Message-ID") ?? "",
      response,
    };
    if (speech !== null) expectSpeech(accepted.messageId);
    adoptTurn(place, accepted, () => undefined);
    tellTabs(accepted.sessionId);
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

async function sendUntilHeard(message: Parameters<typeof chatApi.sendVoice>[0]): Promise<Response> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await chatApi.sendVoice(message, never);
    } catch (error) {
      const isPassing = error instanceof Unreachable || (error as ApiError).status === 503;
      if (!isPassing || attempt >= maxTries || (error as ApiError).type === "voice_unavailable") {
        throw error;
      }
      await waitToRetry(attempt, never);
    }
  }
}
