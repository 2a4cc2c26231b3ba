import { useEffect, useState } from "react";
import { conversation } from "../state/conversation.ts";
import { notifyError } from "../state/notices.ts";
import { goTo } from "../state/navigation.ts";
import {
  chooseSessions,
  deletedSessions,
  loadMoreSessions,
  sessionList,
} from "../state/sessions.ts";
import { usePart, useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { IconButton } from "../ui/icon-button.tsx";
import { Icon } from "../ui/icons.tsx";
import { MarkFilter } from "./mark-filter.tsx";
import { PreferencesMenu } from "./preferences-menu.tsx";
import { SessionItem } from "./session-item.tsx";
import { groupSessions } from "./group-sessions.ts";

interface SideBarProps {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly onSearch: () => void;
  readonly onHelp: () => void;
}

const searchDelayMs = 250;
const isApple = /Mac|iPhone|iPad/.test(navigator.userAgent);

/** The conversations: found, opened, begun. */
export function SideBar({ isOpen, onClose, onSearch, onHelp }: SideBarProps) {
  const texts = useTexts();
  const list = useStore(sessionList);
  const deleted = useStore(deletedSessions);
  const sessionId = usePart(conversation, (current) => current.sessionId);
  const [search, setSearch] = useState(list.search);
  useEffect(() => {
    if (search === sessionList.get().search) return;
    const timer = setTimeout(() => chooseSessions({ search }), searchDelayMs);
    return () => clearTimeout(timer);
  }, [search]);

  const shown = list.sessions.filter(({ session_id: id }) => !deleted.has(id));
  return (
    <aside className={isOpen ? "side-bar open" : "side-bar"} aria-label={texts.conversations}>
      <div className="side-head">
        <span className="brand">
          <Icon name="pulse" size={18} />
          {texts.appName}
        </span>
        <IconButton icon="close" label={texts.closeMenu} className="phone-only" onClick={onClose} />
      </div>
      <button
        type="button"
        className="new-chat"
        onClick={() => {
          goTo(null);
          onClose();
        }}
      >
        <Icon name="plus" size={18} />
        {texts.newChat}
      </button>
      <button
        type="button"
        className="search-all"
        aria-keyshortcuts="Control+K Meta+K"
        onClick={() => {
          onSearch();
          onClose();
        }}
      >
        <Icon name="search" size={18} />
        {texts.searchEverything}
        <kbd aria-hidden="true">{isApple ? "⌘K" : "Ctrl K"}</kbd>
      </button>
      <div className="side-search">
        <Icon name="search" size={16} />
        <input
          type="search"
          value={search}
          aria-label={texts.searchSessions}
          placeholder={texts.searchSessions}
          onChange={(event) => setSearch(event.target.value)}
        />
      </div>
      <div className="side-tabs" role="group" aria-label={texts.conversations}>
        {(["active", "archived"] as const).map((status) => (
          <button
            key={status}
            type="button"
            aria-pressed={list.status === status}
            onClick={() => chooseSessions({ status })}
          >
            {texts[status]}
          </button>
        ))}
      </div>
      <MarkFilter />
      <nav className="session-list" aria-label={texts.conversations}>
        {list.isLoaded && shown.length === 0 && (
          <p className="quiet">
            {list.search === "" && list.tag === null && !list.isPinned
              ? texts.noSessions
              : texts.nothingFound}
          </p>
        )}
        {groupSessions(shown, texts).map((group) => (
          <section key={group.title}>
            <h2>{group.title}</h2>
            <ul>
              {group.sessions.map((session) => (
                <SessionItem
                  key={session.session_id}
                  session={session}
                  isOpen={session.session_id === sessionId}
                  onOpen={() => {
                    goTo(session.session_id);
                    onClose();
                  }}
                />
              ))}
            </ul>
          </section>
        ))}
        {list.nextCursor !== null && (
          <button
            type="button"
            className="link-button show-more"
            onClick={() => void loadMoreSessions().catch(notifyError)}
          >
            {texts.showMore}
          </button>
        )}
      </nav>
      <PreferencesMenu onHelp={onHelp} />
    </aside>
  );
}
