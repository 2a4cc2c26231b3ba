import { ImportFault, type SourceMessage } from "./conversation.ts";

export const maxMessages = 200_000;
/** Every look at a conversation reads where its branches begin. */
export const maxBranches = 5_000;

export interface Arranged {
  /** Each behind its parent. */
  readonly messages: readonly SourceMessage[];
  /** Of each message the place of its parent, counted from 1; 0: it begins a conversation. */
  readonly parents: readonly number[];
}

/**
 * Messages in the order in which they are stored: as given where each follows its parent, else branch by branch, older ones
 * first. Raises ImportFault for what is no tree.
 */
export function arrange(messages: readonly SourceMessage[]): Arranged {
  if (messages.length > maxMessages) throw tooMany("messages", "消息", maxMessages);
  const byId = new Map(messages.map((message) => [message.id, message]));
  if (byId.size < messages.length) {
    throw new ImportFault(
      "Two messages of the conversation have the same id.",
      "对话中有两条消息的 id 相同。",
    );
  }
  for (const { parentId } of messages) {
    if (parentId !== null && !byId.has(parentId)) {
      throw new ImportFault(
        "A message follows one that is not in the file.",
        "有消息所跟随的上一条消息不在文件中。",
      );
    }
  }
  const ordered = inGivenOrder(messages) ?? branchByBranch(messages);
  if (ordered.length < messages.length) {
    throw new ImportFault(
      "Messages of the conversation follow each other in a circle.",
      "对话中的消息互相循环跟随。",
    );
  }
  const places = new Map(ordered.map(({ id }, index) => [id, index + 1]));
  const parents = ordered.map(({ parentId }) =>
    parentId === null ? 0 : (places.get(parentId) ?? 0),
  );
  const branches = parents.filter((parent, index) => parent !== index).length;
  if (branches > maxBranches) throw tooMany("branches", "分支", maxBranches);
  return { messages: ordered, parents };
}

function inGivenOrder(messages: readonly SourceMessage[]): readonly SourceMessage[] | null {
  const seen = new Set<string>();
  for (const { id, parentId } of messages) {
    if (parentId !== null && !seen.has(parentId)) return null;
    seen.add(id);
  }
  return messages;
}

/** Without those in circles: nothing leads to them. */
function branchByBranch(messages: readonly SourceMessage[]): SourceMessage[] {
  const children = Map.groupBy(messages, ({ parentId }) => parentId);
  const newestFirst = (parentId: string | null) =>
    (children.get(parentId) ?? []).toSorted(
      (a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0),
    );
  const ordered: SourceMessage[] = [];
  const waiting = newestFirst(null);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    ordered.push(next);
    waiting.push(...newestFirst(next.id));
  }
  return ordered;
}

function tooMany(what: string, zh: string, limit: number): ImportFault {
  return new ImportFault(
    `The conversation has more than ${limit} ${what}.`,
    `对话的${zh}超过 ${limit} 条。`,
  );
}
