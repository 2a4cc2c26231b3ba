import type { Upload } from "./archive.ts";
import { arrange, type Arranged } from "./arrange.ts";
import { ImportFault, type SourceConversation } from "./conversation.ts";
import type { LongTexts } from "./long-texts.ts";
import { readValues } from "./read-values.ts";
import { objectOf } from "./shapes.ts";
import { readChatGpt } from "./sources/chatgpt.ts";
import { readChatService } from "./sources/chat-service.ts";
import { readLibreChat } from "./sources/librechat.ts";
import { readOpenWebUi } from "./sources/open-webui.ts";

/** A conversation of a file, in the order in which it is stored, or why it cannot be. */
export type ReadConversation =
  | { readonly conversation: SourceConversation; readonly arranged: Arranged }
  | {
      readonly sourceId: string | null;
      readonly title: string | null;
      readonly fault: ImportFault;
    };

const sources = [readChatService, readChatGpt, readLibreChat, readOpenWebUi];
/** Of a conversation without its long texts. */
const maxValueBytes = 48 * 1024 * 1024;

/** The conversations of a file one after the other. Raises ImportFault for a file that cannot be read to its end. */
export async function* readConversations(
  upload: Upload,
  texts: LongTexts,
  maxTextBytes: number,
): AsyncGenerator<ReadConversation> {
  const bounds = { maxValueBytes, maxTextBytes };
  for (const open of upload.texts) {
    for await (const value of readValues(open(), bounds, (text) => texts.putAside(text))) {
      yield readOne(value);
    }
    texts.forget();
  }
}

function readOne(value: unknown): ReadConversation {
  try {
    const object = objectOf(value);
    for (const read of sources) {
      const conversation = object === null ? null : read(object);
      if (conversation !== null) return arranged(conversation);
    }
    const fault = new ImportFault(
      "This is no conversation of ChatGPT, LibreChat, Open WebUI or this service.",
      "这不是 ChatGPT、LibreChat、Open WebUI 或本服务的对话。",
    );
    return { sourceId: null, title: null, fault };
  } catch (error) {
    if (!(error instanceof ImportFault)) throw error;
    return { sourceId: null, title: null, fault: error };
  }
}

function arranged(conversation: SourceConversation): ReadConversation {
  const { id, title, messages } = conversation;
  try {
    if (id === "" || messages.some((message) => message.id === "")) {
      throw new ImportFault(
        "The conversation or one of its messages has no id.",
        "对话或其中的消息没有 id。",
      );
    }
    return { conversation, arranged: arrange(messages) };
  } catch (error) {
    if (!(error instanceof ImportFault)) throw error;
    return { sourceId: id, title, fault: error };
  }
}
