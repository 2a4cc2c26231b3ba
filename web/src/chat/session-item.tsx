import { memo, useState } from "react";
import type { SessionInfo } from "../api/types.ts";
import { attempt } from "../state/attempt.ts";
import { conversation } from "../state/conversation.ts";
import { goTo } from "../state/navigation.ts";
import { notify, notifyError } from "../state/notices.ts";
import { printConversation } from "../state/print-conversation.ts";
import { saveExport } from "../state/save-export.ts";
import {
  archiveSession,
  deleteSession,
  pinSession,
  renameSession,
  undoDelete,
} from "../state/sessions.ts";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";
import { Menu } from "../ui/menu.tsx";
import { onDemand } from "../ui/on-demand.tsx";
import { TypedAhead } from "../ui/typed-ahead.tsx";

const ShareDialog = onDemand(async () => (await import("./share-dialog.tsx")).ShareDialog);
const SessionTags = onDemand(
  async () => (await import("./session-tags.tsx")).SessionTags,
  TypedAhead,
);
const UsageDialog = onDemand(async () => (await import("./usage-dialog.tsx")).UsageDialog);

interface SessionItemProps {
  readonly session: SessionInfo;
  readonly isOpen: boolean;
  readonly onOpen: () => void;
}

const undoShownMs = 6_500;

export const SessionItem = memo(({ session, isOpen, onOpen }: SessionItemProps) => {
  const texts = useTexts();
  const [isRenaming, setRenaming] = useState(false);
  const [isTagging, setTagging] = useState(false);
  const [isSharing, setSharing] = useState(false);
  const [isShowingUsage, setShowingUsage] = useState(false);
  const { session_id: sessionId } = session;
  const title = session.title ?? texts.untitled;

  const remove = () => {
    deleteSession(sessionId);
    if (conversation.get().sessionId === sessionId) goTo(null);
    notify(
      {
        kind: "info",
        text: texts.deleted(title),
        action: { label: texts.undo, run: () => undoDelete(sessionId) },
      },
      undoShownMs,
    );
  };

  if (isRenaming) {
    return (
      <li>
        <RenameForm
          title={session.title ?? ""}
          onDone={(changed) => {
            if (changed === null) setRenaming(false);
            // The new title stays there until it has got through.
            else
              renameSession(sessionId, changed)
                .then(() => setRenaming(false))
                .catch(notifyError);
          }}
        />
      </li>
    );
  }
  const isArchived = session.status === "archived";
  return (
    <li className={isOpen ? "session-item current" : "session-item"}>
      <button
        type="button"
        className="session-open"
        aria-current={isOpen ? "page" : undefined}
        onClick={onOpen}
        onDoubleClick={() => setRenaming(true)}
      >
        <span className="session-title" dir="auto">
          {title}
        </span>
        {session.active_message_status !== null && (
          <span className={`activity ${session.active_message_status}`}>
            <span className="off-screen">{texts.statusNames[session.active_message_status]}</span>
          </span>
        )}
        {session.tags.length > 0 && (
          <span className="session-tags" dir="auto">
            {session.tags.join(" · ")}
          </span>
        )}
      </button>
      <Menu
        label={texts.sessionMenu(title)}
        className="session-menu"
        items={[
          { label: texts.rename, icon: "pencil", run: () => setRenaming(true) },
          {
            label: session.pinned ? texts.unpin : texts.pin,
            icon: "pin",
            run: () => attempt(() => pinSession(sessionId, !session.pinned)),
          },
          { label: texts.tags.edit, icon: "tag", run: () => setTagging(true) },
          {
            label: isArchived ? texts.unarchive : texts.archive,
            icon: "archive",
            run: () => attempt(() => archiveSession(sessionId, !isArchived)),
          },
          { label: texts.share.menu, icon: "external", run: () => setSharing(true) },
          {
            label: texts.print.menu,
            icon: "file",
            run: () => void printConversation(sessionId),
          },
          {
            label: texts.exportText,
            icon: "file",
            run: () => attempt(() => saveExport(sessionId, "markdown")),
          },
          {
            label: texts.exportAll,
            icon: "down",
            run: () => attempt(() => saveExport(sessionId, "json")),
          },
          { label: texts.usage.title, icon: "chart", run: () => setShowingUsage(true) },
          "separator",
          { label: texts.delete, icon: "trash", isDangerous: true, run: remove },
        ]}
      >
        <Icon name="more" size={18} />
      </Menu>
      {isSharing && <ShareDialog sessionId={sessionId} onClose={() => setSharing(false)} />}
      {isShowingUsage && (
        <UsageDialog sessionId={sessionId} onClose={() => setShowingUsage(false)} />
      )}
      {isTagging && <SessionTags session={session} onClose={() => setTagging(false)} />}
    </li>
  );
});

interface RenameFormProps {
  readonly title: string;
  /** Null: everything stays as it was. */
  readonly onDone: (title: string | null) => void;
}

function RenameForm({ title, onDone }: RenameFormProps) {
  const texts = useTexts();
  const [value, setValue] = useState(title);
  // Another tab may have changed it meanwhile: who has typed nothing takes nothing back.
  const [before] = useState(title);
  const finish = () => onDone(value.trim() === before || value.trim() === "" ? null : value);
  return (
    <form
      className="rename"
      onSubmit={(event) => {
        event.preventDefault();
        finish();
      }}
    >
      <input
        value={value}
        maxLength={500}
        aria-label={texts.renameLabel}
        ref={(input) => {
          if (input !== null && document.activeElement !== input) {
            input.focus();
            input.select();
          }
        }}
        onChange={(event) => setValue(event.target.value)}
        onBlur={finish}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          onDone(null);
        }}
      />
    </form>
  );
}
