import { useEffect, useState } from "react";
import { agentName, agents, chosenAgent, startingAgent } from "../state/catalogue.ts";
import { isConnected } from "../state/connection.ts";
import { conversation } from "../state/conversation.ts";
import { identity } from "../state/identity.ts";
import { reopenConversation } from "../state/open-conversation.ts";
import { unseen } from "../state/notify-replies.ts";
import { outbox } from "../state/outbox.ts";
import { printConversation } from "../state/print-conversation.ts";
import { startChat } from "../state/start.ts";
import { usePart, useStore } from "../state/store.ts";
import { endTalking, isTalking } from "../voice/talking.ts";
import { useTexts } from "../text/use-texts.ts";
import { IconButton } from "../ui/icon-button.tsx";
import { loadParts, onDemand } from "../ui/on-demand.tsx";
import { TypedAhead } from "../ui/typed-ahead.tsx";
import { Notices } from "../ui/notices.tsx";
import { Composer } from "./composer.tsx";
import { Missing } from "./missing.tsx";
import { PrintDialog } from "./print-dialog.tsx";
import { SideBar } from "./side-bar.tsx";
import { SignIn } from "./sign-in.tsx";
import { useChatShortcuts } from "./use-chat-shortcuts.ts";
import { useFileDrop } from "./use-file-drop.ts";
import { Welcome } from "./welcome.tsx";
import "../styles/chat.css";
import "../styles/message.css";
import "../styles/markdown.css";

const MessageList = onDemand(async () => (await import("./message-list.tsx")).MessageList);
const ConversationSettings = onDemand(
  async () => (await import("./conversation-settings.tsx")).ConversationSettings,
);
const SearchDialog = onDemand(
  async () => (await import("./search-dialog.tsx")).SearchDialog,
  TypedAhead,
);
const SearchPanel = onDemand(
  async () => (await import("./search-panel.tsx")).SearchPanel,
  TypedAhead,
);

const HandsFree = onDemand(
  async () => (await import("../voice/hands-free/hands-free.tsx")).HandsFree,
);
const ShortcutsDialog = onDemand(
  async () => (await import("./shortcuts-dialog.tsx")).ShortcutsDialog,
);

void startChat();
loadParts();

export function ChatPage() {
  const who = useStore(identity);
  if (who.kind === "sign-in") return <SignIn wasRefused={who.wasRefused} />;
  return (
    <>
      <Workspace />
      <Notices />
    </>
  );
}

function Workspace() {
  const texts = useTexts();
  const list = useStore(agents);
  const starting = startingAgent(list, useStore(chosenAgent));
  // Not its messages: those change with every word.
  const sessionId = usePart(conversation, (current) => current.sessionId);
  const session = usePart(conversation, (current) => current.session);
  const draftId = usePart(conversation, (current) => current.draftId);
  const state = usePart(conversation, (current) => current.state);
  const outgoing = useStore(outbox);
  const connected = useStore(isConnected);
  const unseenCount = useStore(unseen);
  const isTalkingNow = useStore(isTalking);
  const drop = useFileDrop();
  const canWrite = state === "ready" && session?.status !== "archived";
  const [isSideOpen, setSideOpen] = useState(false);
  const [isSearching, setSearching] = useState(false);
  const [isSearchingAll, setSearchingAll] = useState(false);
  const [isSetting, setSetting] = useState(false);
  const [isHelping, setHelping] = useState(false);
  const title = session?.title ?? texts.untitled;
  useEffect(() => {
    const name = session?.title ? `${session.title} · ${texts.appName}` : texts.appName;
    document.title = unseenCount > 0 ? `(${unseenCount}) ${name}` : name;
  }, [session?.title, texts, unseenCount]);
  useEffect(() => setSearching(false), [draftId]);
  useChatShortcuts({
    help: () => setHelping(true),
    search: () => setSearchingAll(true),
    find: () => sessionId !== null && setSearching(true),
    settings: () => setSetting(true),
    print: () => sessionId !== null && void printConversation(sessionId),
    talk: () => canWrite && isTalking.set(true),
    escape: () => {
      if (isSideOpen) setSideOpen(false);
      else if (isSearching) setSearching(false);
      else if (isTalkingNow) endTalking();
      return isSideOpen || isSearching || isTalkingNow;
    },
  });

  const isNew =
    sessionId === null &&
    !outgoing.some((entry) => entry.sessionId === null && entry.draftId === draftId);
  const name = session === null ? (starting?.name ?? "") : agentName(list, session.agent_id);
  return (
    <div className="workspace">
      <SideBar
        isOpen={isSideOpen}
        onClose={() => setSideOpen(false)}
        onSearch={() => setSearchingAll(true)}
        onHelp={() => setHelping(true)}
      />
      {isSideOpen && (
        <div className="side-shade" aria-hidden="true" onClick={() => setSideOpen(false)} />
      )}
      <main className="main" {...(canWrite && drop.handlers)}>
        <header className="main-head">
          <IconButton
            icon="menu"
            label={texts.openMenu}
            className="phone-only"
            onClick={() => setSideOpen(true)}
          />
          <div className="main-title">
            {isNew ? <span dir="auto">{title}</span> : <h1 dir="auto">{title}</h1>}
            {!isNew && (
              <span className="quiet" dir="auto">
                {name}
              </span>
            )}
          </div>
          {sessionId !== null && (
            <IconButton
              icon="search"
              label={texts.searchMessages}
              aria-expanded={isSearching}
              onClick={() => setSearching(!isSearching)}
            />
          )}
          <IconButton
            icon="sliders"
            label={texts.conversationSettings}
            onClick={() => setSetting(true)}
          />
        </header>
        {!connected && (
          <p className="banner" role="status">
            {texts.offline}
          </p>
        )}
        {isSearching && sessionId !== null && (
          <SearchPanel sessionId={sessionId} onClose={() => setSearching(false)} />
        )}
        <div className="conversation">
          {state === "missing" ? (
            <Missing sessionId={sessionId} />
          ) : state === "refused" ? (
            <div className="empty">
              <p>{texts.notOpened}</p>
              <button type="button" className="secondary" onClick={() => void reopenConversation()}>
                {texts.remedies.again}
              </button>
            </div>
          ) : isNew ? (
            <Welcome />
          ) : (
            <MessageList />
          )}
        </div>
        {state === "missing" || state === "refused" ? null : isTalkingNow ? (
          <HandsFree onEnd={endTalking} />
        ) : (
          <Composer />
        )}
        {drop.isOver && (
          <div className="drop-place" aria-hidden="true">
            {texts.files.drop}
          </div>
        )}
      </main>
      {isSearchingAll && <SearchDialog onClose={() => setSearchingAll(false)} />}
      <PrintDialog />
      {isHelping && <ShortcutsDialog onClose={() => setHelping(false)} />}
      {isSetting && <ConversationSettings onClose={() => setSetting(false)} />}
    </div>
  );
}
