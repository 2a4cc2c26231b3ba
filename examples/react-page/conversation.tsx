import { useState } from "react";
import type { ChatClient, Message } from "chat-service-client";
import { useConversation } from "chat-service-client/react";

interface ConversationProps {
  readonly client: ChatClient;
  readonly sessionId: string | null;
}

export function Conversation({ client, sessionId }: ConversationProps) {
  const chat = useConversation(client, { sessionId });
  const [text, setText] = useState("");
  const [files, setFiles] = useState<readonly File[]>([]);
  const [sent, setSent] = useState<number | null>(null);

  const send = async () => {
    setText("");
    setFiles([]);
    try {
      await chat.send(
        { message: text, ...(files.length > 0 && { attachments: files }) },
        files.length > 0 ? { onProgress: setSent } : {},
      );
    } catch {
      // It is told below; what was written is not lost.
      setText(text);
      setFiles(files);
    }
    setSent(null);
  };

  return (
    <main data-session={chat.sessionId}>
      <h1>{chat.session?.title ?? "A new conversation"}</h1>
      {chat.hasOlder && <button onClick={() => void chat.loadOlder()}>Older</button>}
      <ol>
        {chat.messages.map((message) => (
          <li key={message.message_id} data-role={message.role} data-status={message.status}>
            <p>{message.content}</p>
            <Versions message={message} onShow={chat.showBranch} />
            {message.role === "assistant" && message.status === "complete" && (
              <button onClick={() => void chat.regenerate(message.message_id)}>Again</button>
            )}
            {message.status === "paused" &&
              message.requirements?.map(({ id, tool }) => (
                <button
                  key={id}
                  onClick={() => void chat.decide(message.message_id, [{ id, approved: true }])}
                >
                  Allow {tool}
                </button>
              ))}
          </li>
        ))}
        {chat.sending.map((each, index) => (
          <li key={index} data-role="user" data-status="sending">
            <p>{each}</p>
          </li>
        ))}
      </ol>
      {sent !== null && <progress value={sent} />}
      {chat.error && <p role="alert">{chat.error.message}</p>}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <input aria-label="Message" value={text} onChange={({ target }) => setText(target.value)} />
        <input
          type="file"
          multiple
          aria-label="Files"
          onChange={({ target }) => setFiles([...(target.files ?? [])])}
        />
        <button disabled={text === ""}>Send</button>
        {chat.isReplying && (
          <button type="button" onClick={() => void chat.stop()}>
            Stop
          </button>
        )}
      </form>
    </main>
  );
}

/** ‹ 2/3 › */
function Versions({
  message,
  onShow,
}: {
  readonly message: Message;
  readonly onShow: (messageId: string) => Promise<void>;
}) {
  if (message.siblings === undefined) return null;
  const { ids, index } = message.siblings;
  const show = (at: number) => {
    const id = ids[at];
    if (id !== undefined) void onShow(id);
  };
  return (
    <span>
      <button
        aria-label="The version before"
        disabled={index === 0}
        onClick={() => show(index - 1)}
      >
        ‹
      </button>
      {index + 1}/{ids.length}
      <button
        aria-label="The next version"
        disabled={index + 1 === ids.length}
        onClick={() => show(index + 1)}
      >
        ›
      </button>
    </span>
  );
}
