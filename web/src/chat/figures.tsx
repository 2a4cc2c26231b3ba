import { useEffect, useState } from "react";
import { client } from "../api/client.ts";
import { agentName, agents } from "../state/catalogue.ts";
import { applyEvent, type MessageView } from "../state/reply-view.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { duration } from "./words.ts";

/** What a reply took, for those who want to know. */
export function Figures({ message }: { readonly message: MessageView }) {
  const texts = useTexts();
  const list = useStore(agents);
  const live = useEnding(message);
  const { figures } = texts;
  const usage = message.usage ?? null;
  const durationMs = live?.durationMs ?? null;
  const firstTokenMs = live?.timeToFirstTokenMs ?? null;
  const rows: readonly (readonly [string, string])[] = [
    [figures.agent, agentName(list, message.agent_id)],
    ...(message.model === undefined ? [] : ([[texts.model, message.model]] as const)),
    [figures.status, texts.statusNames[message.status]],
    [figures.time, new Date(message.timestamp).toLocaleString()],
    [figures.duration, durationMs === null ? figures.unknown : duration(durationMs, texts)],
    [figures.firstToken, firstTokenMs === null ? figures.unknown : duration(firstTokenMs, texts)],
    [
      figures.tokens,
      usage === null ? figures.unknown : `${usage.input_tokens} / ${usage.output_tokens}`,
    ],
    ...(message.context === undefined
      ? []
      : ([[figures.context, figures.sent(message.context)]] as const)),
    [figures.finish, message.finish_reason ?? message.error?.type ?? figures.unknown],
    [figures.message, message.message_id],
    [figures.session, message.session_id],
  ];
  return (
    <dl className="figures">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd dir="auto">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The figures that only the last event of a reply holds: asked for when they are not known. */
function useEnding(message: MessageView): MessageView["live"] {
  const [ending, setEnding] = useState(message.live);
  useEffect(() => {
    if (message.live !== undefined && message.live.durationMs !== null) return;
    const { signal, abort } = abortable();
    const ask = async () => {
      let seen: MessageView = message;
      for await (const event of client.messages.follow(message.message_id, { signal })) {
        seen = applyEvent(seen, event.seq, event);
      }
      setEnding(seen.live);
    };
    // Without them the other figures are shown.
    ask().catch(() => undefined);
    return abort;
  }, [message]);
  return (message.live?.durationMs ?? null) === null ? ending : message.live;
}

function abortable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
