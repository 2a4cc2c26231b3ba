import { useEffect, useState } from "react";
import { regenerate } from "../state/branches.ts";
import { agents, refreshCatalogue } from "../state/catalogue.ts";
import type { MessageView } from "../state/reply-view.ts";
import { useTexts } from "../text/use-texts.ts";

/** What failed longer ago is not asked by itself: nobody waits for it any more. */
const expectedForMs = 30 * 60_000;
const lookMs = 2_000;
/** The list of agents may be this old; doubled with each answer that has failed as well. */
const settleMs = 4_000;
const maxTries = 8;

/** Whether this reply is asked for anew when its agent is there again: the last one, which failed just now for want of it. */
export function isExpected({ status, error, timestamp, siblings }: MessageView): boolean {
  return (
    status === "failed" &&
    error?.type === "agent_unavailable" &&
    (siblings?.ids.length ?? 1) < maxTries &&
    Math.abs(Date.now() - Date.parse(timestamp)) < expectedForMs
  );
}

/** Asks for a reply anew as soon as its agent is there again, unless one does not want that. */
export function WhenBack({ message }: { readonly message: MessageView }) {
  const texts = useTexts();
  const [isWanted, setWanted] = useState(true);
  const { message_id: replyId, agent_id: agentId, siblings } = message;
  const tries = siblings?.ids.length ?? 1;

  useEffect(() => {
    if (!isWanted) return undefined;
    let timer: number | undefined;
    let isOver = false;
    const look = async () => {
      await refreshCatalogue();
      if (isOver) return;
      const agent = agents.get().find(({ agent_id: id }) => id === agentId);
      if (agent?.status === "available") {
        // Several tabs may see it at the same moment: the service takes one of them.
        await regenerate(message, {}, `again-${replyId}`);
        return;
      }
      timer = window.setTimeout(() => void look(), lookMs);
    };
    timer = window.setTimeout(() => void look(), settleMs * 2 ** (tries - 1));
    return () => {
      isOver = true;
      window.clearTimeout(timer);
    };
    // oxlint-disable-next-line react/exhaustive-deps -- the message changes with every word of anything
  }, [replyId, agentId, tries, isWanted]);

  if (!isWanted) return null;
  return (
    <p className="message-note" role="status">
      <span>{texts.whenBack}</span>
      <button type="button" className="link-button" onClick={() => setWanted(false)}>
        {texts.notWhenBack}
      </button>
    </p>
  );
}
