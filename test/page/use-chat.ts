import { useChat } from "@ai-sdk/react";
import {
  DefaultChatTransport,
  lastAssistantMessageIsCompleteWithApprovalResponses,
  type UIMessage,
} from "ai";
import { createElement as h, useState } from "react";
import { createRoot } from "react-dom/client";

/** A page as somebody has it who uses the AI SDK's `useChat`, and nothing of a server of his own. */
const { agent, id } = Object.fromEntries(new URLSearchParams(location.search)) as Record<
  "agent" | "id",
  string
>;
const api = `/ai/${agent}`;
const transport = new DefaultChatTransport({ api, headers: { "X-User-Id": "reader" } });
const kept = await fetch(`${api}/${id}/messages`, { headers: { "X-User-Id": "reader" } });

function Chat({ messages: initial }: { readonly messages: UIMessage[] }) {
  const { messages, status, sendMessage, regenerate, addToolApprovalResponse } = useChat({
    id,
    messages: initial,
    transport,
    resume: true,
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  });
  const [text, setText] = useState("");
  return h(
    "main",
    null,
    h("output", null, status),
    ...messages.map(({ id: key, role, parts }) =>
      h(
        "article",
        { key, className: role },
        ...parts.map((part) => {
          if (part.type === "text") return part.text;
          if (part.type !== "dynamic-tool" || part.state !== "approval-requested") return null;
          const { approval, toolName } = part;
          const allow = () => void addToolApprovalResponse({ id: approval.id, approved: true });
          return h("button", { key: part.toolCallId, onClick: allow }, `Allow ${toolName}`);
        }),
      ),
    ),
    h("input", { value: text, onChange: (event) => setText(event.target.value) }),
    h("button", { onClick: () => void sendMessage({ text }) }, "Send"),
    h("button", { onClick: () => void regenerate() }, "Again"),
  );
}

createRoot(document.body.appendChild(document.createElement("div"))).render(
  h(Chat, { messages: (await kept.json()) as UIMessage[] }),
);
