import { showBranch } from "../state/branches.ts";
import type { MessageView } from "../state/reply-view.ts";
import { useTexts } from "../text/use-texts.ts";
import { IconButton } from "../ui/icon-button.tsx";

/** Where a message was said or answered more than once: which of them this is, and the way to the others. */
export function Versions({ message }: { readonly message: MessageView }) {
  const texts = useTexts();
  const { siblings } = message;
  if (siblings === undefined) return null;
  const { ids, index } = siblings;
  const to = (id: string | undefined) => {
    if (id !== undefined) void showBranch(id);
  };
  return (
    <span className="versions" role="group" aria-label={texts.versions}>
      <IconButton
        icon="back"
        size={17}
        label={texts.previousVersion}
        disabled={index === 0}
        onClick={() => to(ids[index - 1])}
      />
      <span>{`${index + 1}/${ids.length}`}</span>
      <IconButton
        icon="chevron"
        size={17}
        label={texts.nextVersion}
        disabled={index === ids.length - 1}
        onClick={() => to(ids[index + 1])}
      />
    </span>
  );
}
