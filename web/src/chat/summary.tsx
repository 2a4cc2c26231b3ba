import type { MessageView } from "../state/reply-view.ts";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";

/** What stands for the messages before it where the model is told no more of them, folded away. */
export function Summary({ message }: { readonly message: MessageView }) {
  const texts = useTexts();
  return (
    <article className="message" id={`message-${message.message_id}`} tabIndex={-1}>
      <details className="reasoning">
        <summary>
          <Icon name="chevron" size={15} />
          <span>{texts.summary}</span>
        </summary>
        <div className="reasoning-text" dir="auto">
          {message.content}
        </div>
      </details>
    </article>
  );
}
