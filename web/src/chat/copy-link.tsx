import type { Message } from "../api/types.ts";
import { linkTo } from "../state/navigation.ts";
import { useTexts } from "../text/use-texts.ts";
import { CopyButton } from "../ui/copy-button.tsx";

/** An address that leads to this very message. */
export function CopyLink({ message }: { readonly message: Message }) {
  const texts = useTexts();
  return (
    <CopyButton
      text={linkTo(message.session_id, message.message_id)}
      label={texts.copyLink}
      icon="link"
    />
  );
}
