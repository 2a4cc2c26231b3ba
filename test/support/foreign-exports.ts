/** Conversations in the shapes in which other services export them, with branches. Ids and texts follow from `number`. */

export interface GeneratedChat {
  readonly number: number;
  /** Turns of the path that is shown. */
  readonly turns: number;
  /** Characters of each message. */
  readonly length?: number;
  readonly file?: string;
}

const began = 1_700_000_000;

function text(what: string, length: number): string {
  return what.padEnd(length, " lorem ipsum dolor sit amet 你好");
}

/** An element of ChatGPT's `conversations.json`: a hidden root, a tool call in each turn, the first question asked twice. */
export function chatGptConversation({ number, turns, length = 0, file }: GeneratedChat) {
  const mapping: Record<string, object> = {};
  const add = (id: string, parent: string | null, message: object | null) => {
    mapping[id] = { id, parent, children: [], message };
    if (parent !== null) (mapping[parent] as { children: string[] }).children.push(id);
  };
  const message = (id: string, role: string, said: string, more: object = {}) => ({
    id,
    author: { role, name: null, metadata: {} },
    create_time: began + number * 10_000 + Object.keys(mapping).length,
    content: { content_type: "text", parts: [said] },
    status: "finished_successfully",
    recipient: "all",
    metadata: role === "assistant" ? { model_slug: "gpt-4o" } : {},
    ...more,
  });
  const id = (name: string) => `${number}-${name}`;
  add(id("root"), null, null);
  const hidden = { metadata: { is_visually_hidden_from_conversation: true } };
  add(id("system"), id("root"), message(id("system"), "system", "You are ChatGPT.", hidden));
  add(id("q0-old"), id("system"), message(id("q0-old"), "user", "the first wording"));
  add(id("a0-old"), id("q0-old"), message(id("a0-old"), "assistant", "the first answer"));
  let above = id("system");
  for (let turn = 0; turn < turns; turn += 1) {
    const [question, call, result, answer] = ["q", "call", "tool", "a"].map((name) =>
      id(`${name}${turn}`),
    ) as [string, string, string, string];
    const pointer = { content_type: "image_asset_pointer", asset_pointer: `sediment://${file}` };
    const content =
      file !== undefined && turn === 0
        ? { content: { content_type: "multimodal_text", parts: [pointer, `question ${turn}`] } }
        : {};
    add(question, above, message(question, "user", text(`question ${turn}`, length), content));
    add(
      call,
      question,
      message(call, "assistant", "", {
        recipient: "python",
        content: { content_type: "code", text: "print(1)" },
      }),
    );
    add(
      result,
      call,
      message(result, "tool", "", { content: { content_type: "execution_output", text: "1" } }),
    );
    add(answer, result, message(answer, "assistant", text(`answer ${turn}`, length)));
    above = answer;
  }
  return {
    title: `Chat ${number}`,
    create_time: began + number * 10_000,
    update_time: began + number * 10_000 + 100,
    mapping,
    current_node: above,
    conversation_id: id("chat"),
    is_archived: false,
  };
}

/** LibreChat's export of a conversation: a tree of messages, or a list. */
export function libreChatConversation({ number, turns }: GeneratedChat, isTree: boolean) {
  const id = (name: string) => `${number}-${name}`;
  const noParent = "00000000-0000-0000-0000-000000000000";
  const list: Record<string, unknown>[] = [];
  const add = (messageId: string, parentMessageId: string, said: string, more: object = {}) =>
    list.push({
      messageId,
      parentMessageId,
      text: said,
      sender: messageId.includes("q") ? "User" : "GPT",
      isCreatedByUser: messageId.includes("q"),
      createdAt: new Date((began + list.length) * 1000).toISOString(),
      children: [],
      ...more,
    });
  let above = noParent;
  for (let turn = 0; turn < turns; turn += 1) {
    add(id(`q${turn}`), above, `question ${turn}`);
    add(id(`b${turn}`), id(`q${turn}`), `another answer ${turn}`);
    const parts = [
      { type: "think", think: "hm" },
      { type: "text", text: { value: `answer ${turn}` } },
    ];
    add(id(`a${turn}`), id(`q${turn}`), "", { content: parts, model: "gpt-4o" });
    above = id(`a${turn}`);
  }
  const byId = new Map(list.map((message) => [message["messageId"], message]));
  const roots = list.filter((message) => {
    (byId.get(message["parentMessageId"])?.["children"] as unknown[] | undefined)?.push(message);
    return message["parentMessageId"] === noParent;
  });
  return {
    conversationId: id("chat"),
    endpoint: "openAI",
    title: `Chat ${number}`,
    exportAt: "12:00:00 GMT+0000",
    branches: true,
    recursive: isTree,
    options: { model: "gpt-4o" },
    messages: isTree ? roots : list.map(({ children: _, ...rest }) => rest),
  };
}

/** An element of Open WebUI's export, with a picture. */
export function openWebUiChat({ number, turns, file }: GeneratedChat) {
  const id = (name: string) => `${number}-${name}`;
  const messages: Record<string, Record<string, unknown>> = {};
  const add = (key: string, parentId: string | null, more: object) => {
    const timestamp = began + Object.keys(messages).length;
    messages[key] = { id: key, parentId, childrenIds: [], timestamp, ...more };
    if (parentId !== null) (messages[parentId]?.["childrenIds"] as string[] | undefined)?.push(key);
  };
  let above: string | null = null;
  for (let turn = 0; turn < turns; turn += 1) {
    const files =
      file !== undefined && turn === 0 ? [{ type: "image", name: "dot.png", url: file }] : [];
    add(id(`q${turn}`), above, { role: "user", content: `question ${turn}`, files });
    add(id(`b${turn}`), id(`q${turn}`), {
      role: "assistant",
      content: "no",
      model: "m",
      done: true,
    });
    const thoughts =
      '<details type="reasoning" done="true">\n<summary>Thought</summary>\n> hm\n</details>\n';
    add(id(`a${turn}`), id(`q${turn}`), {
      role: "assistant",
      content: `${thoughts}answer ${turn}`,
      model: "llama3",
      done: true,
    });
    above = id(`a${turn}`);
  }
  return {
    id: id("chat"),
    user_id: "someone",
    title: `Chat ${number}`,
    chat: { title: `Chat ${number}`, models: ["llama3"], history: { currentId: above, messages } },
    created_at: began,
    updated_at: began + 100,
    archived: false,
    pinned: true,
    meta: { tags: ["garden"] },
  };
}
