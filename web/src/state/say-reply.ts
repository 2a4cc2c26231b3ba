import { splitBlocks } from "../markdown/split-blocks.ts";
import { currentTexts } from "../text/use-texts.ts";
import { announce } from "./announcements.ts";
import { language } from "./preferences.ts";
import { isUnfinished, type MessageView } from "./reply-view.ts";

/** Of a longer reply the rest is there to be read, and not to be listened to the end. */
const maxSaidLength = 4_000;

interface Said {
  /** So far in its Markdown. */
  source: number;
  /** Of what was said. */
  length: number;
  isOver: boolean;
}

const replies = new Map<string, Said>();
/** One after the other, though what they need has to be loaded first. */
let turn = Promise.resolve();

/** Tells people who listen to the page how a reply grows: sentence by sentence, and how it has ended. */
export function sayReply(message: MessageView): void {
  turn = turn.then(() => sayMore(message)).catch(() => undefined);
}

async function sayMore(message: MessageView): Promise<void> {
  const { message_id: id, status, content } = message;
  if (status === "queued" || status === "paused") return;
  const texts = currentTexts();
  if (!replies.has(id)) announce(texts.writing);
  const said = replies.get(id) ?? { source: 0, length: 0, isOver: false };
  replies.set(id, said);
  if (said.isOver) return;
  said.isOver = !isUnfinished(message);
  const blocks = splitBlocks(content.slice(said.source));
  // The last one may still become something else.
  const complete = blocks.slice(0, said.isOver ? blocks.length : -1);
  if (complete.length > 0) {
    const { plainText } = await import("../markdown/plain-text.ts");
    for (const block of complete) {
      said.source += block.length + 1;
      if (said.length > maxSaidLength) continue;
      for (const sentence of sentencesOf(plainText(block, texts.remarks))) {
        said.length += sentence.length;
        announce(said.length > maxSaidLength ? texts.restToRead : sentence);
        if (said.length > maxSaidLength) break;
      }
    }
  }
  if (status === "cancelled") announce(texts.cancelledNote);
  if (status === "interrupted") announce(texts.problems.interrupted);
  if (status === "failed") announce(message.error?.message ?? texts.failedNote);
}

function sentencesOf(text: string): string[] {
  const segmenter = new Intl.Segmenter(language.get(), { granularity: "sentence" });
  return text
    .split("\n")
    .flatMap((line) => [...segmenter.segment(line)].map(({ segment }) => segment.trim()))
    .filter((sentence) => sentence !== "");
}
