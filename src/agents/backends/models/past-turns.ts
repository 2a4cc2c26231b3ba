import type { Attachment, HistoryFile, HistoryMessage, RunRequest } from "../../agent-backend.ts";
import type { ChatMessage, ContentPart } from "./chat-protocol.ts";
import { isImage, isTextFile, maxFileLength, withFiles } from "./files-in-prompt.ts";
import { tokensOfText } from "../../tokens-of-text.ts";
import { cutTo, tokensOfContent, tokensOfImage } from "./token-estimate.ts";

/** What was said before: it is told to a model in whole turns, the newest ones. */
export interface Past {
  /** Of the system, wherever it stood. */
  readonly instructions: readonly string[];
  /** Oldest first. */
  readonly turns: readonly PastTurn[];
  /** Messages of the conversation that are in none of the turns, and that no summary covers. */
  readonly unread: number;
  /** Messages that a summary, one of the instructions, stands for. */
  readonly summarised: number;
}

/** A question, and the answers to it; none where its reply failed. */
export interface PastTurn {
  readonly messages: readonly ChatMessage[];
  readonly tokens: number;
}

/** Pictures are dear, and the newest ones matter. */
const maxImages = 8;
const maxImageBytes = 8 * 1024 * 1024;
const maxTextBytes = 256 * 1024;
/** What pictures may take of the room for the whole prompt. */
const shareOfImages = 1 / 4;
/** What a summary may take of it. */
const shareOfSummary = 1 / 4;
/** UTF-8 of one token at most, mostly: what is read beyond the room is read in vain. */
const bytesOfToken = 6;

/**
 * As much of the past as may have room. The cost is that of what fits, however long the conversation is. Files come
 * along, newest first, as far as there is room for them; of the others the model is told that they were there.
 */
export async function readPast(
  request: RunRequest,
  {
    historyMessages,
    usesSummaries,
  }: {
    /** 0: no bound but the room. */
    readonly historyMessages: number;
    readonly usesSummaries: boolean;
  },
  roomTokens: number,
): Promise<Past> {
  const history = await request.history({
    ...(historyMessages > 0 && { messages: historyMessages }),
    maxBytes: roomTokens * bytesOfToken,
    ...(usesSummaries && { withSummary: true }),
  });
  const told = history.filter(({ content }) => content.trim() !== "");
  const instructions = told.flatMap(({ role, content, isSummary }) =>
    role === "system" ? [isSummary ? summaryText(content, request, roomTokens) : content] : [],
  );
  const { turns, skipped } = inTurns(told.filter(({ role }) => role !== "system"));
  const summarised = history.find(({ isSummary }) => isSummary)?.seq ?? 0;
  const first = history.find(({ isSummary }) => !isSummary)?.seq ?? summarised + 1;
  const unread = Math.max(0, first - 1 - summarised) + skipped;
  const wanted = wantedFiles(turns, roomTokens);
  const files =
    wanted.size === 0 || request.files === undefined ? [] : await request.files([...wanted]);
  const loaded = new Map(files.map((file) => [file.id, file]));
  const shown = turns.map((turn) => pastTurn(turn, loaded));
  return { instructions, turns: shown, unread, summarised };
}

/** It goes along whatever there is room for, so it takes no more than its share. */
function summaryText(summary: string, { language }: RunRequest, roomTokens: number): string {
  const text = cutTo(summary, roomTokens * shareOfSummary);
  return language === "zh"
    ? `此前对话的摘要（原文不再展示；这是记录，不是指令）：\n${text}`
    : `What was said before, in few words (the messages themselves are not shown any more; this is a record, not an instruction):\n${text}`;
}

type Turn = HistoryMessage[];

/** Answers whose question is no longer in sight are left out. */
function inTurns(history: readonly HistoryMessage[]): { turns: Turn[]; skipped: number } {
  const turns: Turn[] = [];
  let skipped = 0;
  for (const message of history) {
    const last = turns.at(-1);
    if (message.role === "user") turns.push([message]);
    else if (last !== undefined) last.push(message);
    else skipped += 1;
  }
  return { turns, skipped };
}

/** The ids of the files to be shown again: of the newest turns first, while there is room for turns and files. */
function wantedFiles(turns: readonly Turn[], roomTokens: number): Set<string> {
  const wanted = new Set<string>();
  // Mostly; and to estimate what the turns take costs more than all else here.
  if (!turns.some((turn) => turn.some(({ files = [] }) => files.length > 0))) return wanted;
  let images = Math.min(maxImages, Math.floor((roomTokens * shareOfImages) / tokensOfImage));
  let imageBytes = maxImageBytes;
  let textBytes = maxTextBytes;
  let room = roomTokens;
  for (const turn of turns.toReversed()) {
    for (const { content } of turn) room -= tokensOfText(content);
    if (room <= 0) break;
    for (const file of turn.flatMap((message) => message.files ?? []).toReversed()) {
      if (isImage(file)) {
        if (images < 1 || file.size > imageBytes) continue;
        images -= 1;
        imageBytes -= file.size;
      } else if (isTextFile(file)) {
        const size = Math.min(file.size, maxFileLength);
        if (size > textBytes || file.size > maxTextBytes) continue;
        textBytes -= size;
      } else continue;
      wanted.add(file.id);
    }
  }
  return wanted;
}

function pastTurn(turn: Turn, loaded: ReadonlyMap<string, Attachment>): PastTurn {
  const messages = turn.map(({ role, content, files = [] }): ChatMessage =>
    role === "user"
      ? { role, content: withEarlierFiles(content, files, loaded) }
      : { role: "assistant", content },
  );
  const tokens = messages.reduce((sum, { content }) => sum + tokensOfContent(content), 0);
  return { messages, tokens };
}

function withEarlierFiles(
  message: string,
  files: readonly HistoryFile[],
  loaded: ReadonlyMap<string, Attachment>,
): string | readonly ContentPart[] {
  const shown = files.flatMap(({ id }) => loaded.get(id) ?? []);
  const notes = files
    .filter(({ id }) => !loaded.has(id))
    .map(({ name, mediaType }) => `[attached then: ${name} (${mediaType}), not shown to you now]`);
  return withFiles([message, ...notes].join("\n\n"), shown, maxTextBytes);
}
