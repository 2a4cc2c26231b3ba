/** A message, as these clients keep it. */
export type Message = Readonly<Record<string, unknown>> & {
  readonly id: string;
  readonly role: string;
};

/** A part of a run that is a message, or belongs to one, in the order in which it came. */
export type Item = WordsOf<"text"> | WordsOf<"reasoning"> | CallItem;

interface WordsOf<Kind extends string> {
  readonly kind: Kind;
  readonly id: string;
  readonly text: string;
}

export interface CallItem {
  readonly kind: "call";
  readonly id: string;
  /** As the agent calls it. */
  readonly of: string;
  readonly name: string;
  readonly parent: string | null;
  readonly given: string | null;
  readonly result: string | null;
  readonly member: string | null;
  readonly hasEnded: boolean;
}

/** What a run has come to. */
export interface Told {
  /** All of the reply's text and thinking that the log has told. */
  readonly content: string;
  readonly reasoning: string;
  /** What is being written, and where in the text or thinking it began. */
  readonly open: {
    readonly kind: "text" | "reasoning";
    readonly id: string;
    readonly from: number;
    readonly member: string | null;
  } | null;
  readonly items: readonly Item[];
}

/** As messages; of what calls hang on the words may be gone. */
export function messagesOf({ items, open, content, reasoning }: Told): Message[] {
  const messages: Message[] = [];
  const all: readonly Item[] =
    open === null
      ? items
      : [
          ...items.filter(({ id }) => id !== open.id),
          {
            kind: open.kind,
            id: open.id,
            text: (open.kind === "text" ? content : reasoning).slice(open.from),
          },
        ];
  for (const item of all) {
    const { id } = item;
    if (item.kind === "text") messages.push({ id, role: "assistant", content: item.text });
    else if (item.kind === "reasoning") {
      messages.push({ id, role: "reasoning", content: item.text });
    } else addCall(messages, item);
  }
  return messages;
}

function addCall(messages: Message[], { id, name, given, result, parent, member }: CallItem): void {
  const toolCall = { id, type: "function", function: { name, arguments: given ?? "" } };
  const owner = tag(member);
  const index = messages.findIndex((each) => each.id === parent);
  const said = messages[index];
  if (said === undefined) {
    messages.push({ id: parent ?? id, role: "assistant", toolCalls: [toolCall], ...owner });
  } else {
    const toolCalls = [...((said["toolCalls"] as object[] | undefined) ?? []), toolCall];
    messages[index] = { ...said, toolCalls };
  }
  if (result === null) return;
  const message = { id: `${id}_result`, role: "tool", content: result, toolCallId: id };
  messages.push({ ...message, ...owner });
}

/** Of what a client has, what is not of this reply. */
export function withoutReply(held: readonly Message[], messageId: string): Message[] {
  return held.filter(({ id }) => !id.startsWith(messageId));
}

/** Whose it is, where it is not the run's own. */
export function tag(member: string | null): object {
  return member === null ? {} : { subagentRunId: member };
}
