import { regenerate } from "../state/branches.ts";
import { conversation } from "../state/conversation.ts";
import { putBack } from "../state/composer.ts";
import { writeEdit } from "../state/editing.ts";
import { identity, signOut } from "../state/identity.ts";
import { goTo } from "../state/navigation.ts";
import { isKnown, remediesFor, type Remedy } from "../state/remedies.ts";
import type { MessageView } from "../state/reply-view.ts";
import { usePart, useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";
import { AgainWith } from "./again-with.tsx";

/** Why a reply has failed or broken off, in the page's language, with what the service says of it, and what may help. */
export function Failure({ message }: { readonly message: MessageView }) {
  const texts = useTexts();
  const type = message.error?.type ?? (message.status === "interrupted" ? "interrupted" : "");
  return (
    <div className="message-note bad failure" role="note">
      <Icon name="alert" size={15} />
      <div>
        <strong>{isKnown(type) ? texts.problems[type] : texts.failedNote}</strong>
        {message.error && <p dir="auto">{message.error.message}</p>}
        <p className="remedies">
          {remediesFor(type).map((remedy) => (
            <ReplyRemedy key={remedy} remedy={remedy} message={message} />
          ))}
        </p>
      </div>
    </div>
  );
}

function ReplyRemedy({
  remedy,
  message,
}: {
  readonly remedy: Remedy;
  readonly message: MessageView;
}) {
  const { remedies: texts } = useTexts();
  const isTokenUsed = useStore(identity).kind === "token";
  const question = usePart(conversation, ({ messages }) =>
    messages.find(({ message_id: id }) => id === message.reply_to),
  );
  if (remedy === "model") return <AgainWith message={message}>{texts.model}</AgainWith>;
  const act: Partial<Record<Remedy, () => void>> = {
    again: () => void regenerate(message),
    queue: () => void regenerate(message),
    ...(question !== undefined && {
      edit: () => writeEdit(question.message_id, question.content),
      fresh: () => {
        goTo(null);
        putBack(question.content);
      },
    }),
    ...(isTokenUsed && { signIn: () => signOut(true) }),
  };
  const run = act[remedy];
  if (run === undefined) return null;
  return (
    <button type="button" className="link-button" onClick={run}>
      {texts[remedy]}
    </button>
  );
}
