import { useState } from "react";
import { client } from "../api/client.ts";
import { serviceConfig } from "../state/catalogue.ts";
import { forgetDrafts } from "../state/draft-files.ts";
import { identity, signOut } from "../state/identity.ts";
import { outbox, removeOutgoing } from "../state/outbox.ts";
import { canNotify, chooseNotifications, notifications } from "../state/notify-replies.ts";
import { notifyError } from "../state/notices.ts";
import { language, theme } from "../state/preferences.ts";
import { saveExport } from "../state/save-export.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Icon } from "../ui/icons.tsx";
import { Menu } from "../ui/menu.tsx";
import { onDemand } from "../ui/on-demand.tsx";

const ImportDialog = onDemand(async () => (await import("./import-dialog.tsx")).ImportDialog);
const KnowledgeDialog = onDemand(
  async () => (await import("./knowledge-dialog.tsx")).KnowledgeDialog,
);
const MemoriesDialog = onDemand(async () => (await import("./memories-dialog.tsx")).MemoriesDialog);
const UsageDialog = onDemand(async () => (await import("./usage-dialog.tsx")).UsageDialog);

/** Language, appearance, and the ways out of the page. */
export function PreferencesMenu({ onHelp }: { readonly onHelp: () => void }) {
  const texts = useTexts();
  const chosenLanguage = useStore(language);
  const chosenTheme = useStore(theme);
  const chosenNotifications = useStore(notifications);
  const who = useStore(identity);
  const config = useStore(serviceConfig);
  const [isShowingUsage, setShowingUsage] = useState(false);
  const [isShowingKnowledge, setShowingKnowledge] = useState(false);
  const [isShowingMemories, setShowingMemories] = useState(false);
  const [isImporting, setImporting] = useState(false);
  const leave = () => {
    if (outbox.get().length > 0 && !window.confirm(texts.signOutWarning)) return;
    for (const { key } of outbox.get()) removeOutgoing(key);
    forgetDrafts();
    signOut();
    location.assign(client.url("/"));
  };
  return (
    <div className="side-foot">
      <button
        type="button"
        className="language-switch"
        lang={chosenLanguage === "zh" ? "en" : "zh-CN"}
        onClick={() => language.set(chosenLanguage === "zh" ? "en" : "zh")}
      >
        {chosenLanguage === "zh" ? "English" : "中文"}
      </button>
      <Menu
        label={texts.settings}
        placement="above"
        items={[
          ...(["system", "light", "dark"] as const).map((name) => ({
            label: `${texts.theme}: ${{ system: texts.themeSystem, light: texts.themeLight, dark: texts.themeDark }[name]}`,
            isChosen: chosenTheme === name,
            run: () => theme.set(name),
          })),
          "separator",
          ...(canNotify()
            ? [
                ...(["off", "bare", "text"] as const).map((choice) => ({
                  label: texts.notifications[choice],
                  isChosen: chosenNotifications === choice,
                  run: () => void chooseNotifications(choice),
                })),
                "separator" as const,
              ]
            : []),
          { label: texts.usage.title, icon: "chart", run: () => setShowingUsage(true) },
          // Only agents of AgentOS have any.
          ...(config?.features["agno_integration"] === false
            ? []
            : [
                {
                  label: texts.memories.title,
                  icon: "info" as const,
                  run: () => setShowingMemories(true),
                },
                {
                  label: texts.knowledge.title,
                  icon: "file" as const,
                  run: () => setShowingKnowledge(true),
                },
              ]),
          { label: texts.importMenu, icon: "archive", run: () => setImporting(true) },
          {
            label: texts.exportEverything,
            icon: "down",
            run: () => void saveExport(null, "json").catch(notifyError),
          },
          { label: texts.shortcuts.title, icon: "key", run: onHelp },
          {
            label: texts.statusPage,
            icon: "pulse",
            run: () => location.assign(client.url("/status")),
          },
          ...(config?.features["docs_enabled"] === false
            ? []
            : [
                {
                  label: texts.apiDocs,
                  icon: "external" as const,
                  run: () => void window.open(client.url("/docs"), "_blank", "noopener"),
                },
              ]),
          ...(who.kind === "token"
            ? (["separator", { label: texts.signOut, icon: "key", run: leave }] as const)
            : []),
        ]}
      >
        <Icon name="sliders" size={18} />
        <span>{texts.settings}</span>
      </Menu>
      {isShowingUsage && <UsageDialog onClose={() => setShowingUsage(false)} />}
      {isShowingKnowledge && <KnowledgeDialog onClose={() => setShowingKnowledge(false)} />}
      {isShowingMemories && <MemoriesDialog onClose={() => setShowingMemories(false)} />}
      {isImporting && <ImportDialog onClose={() => setImporting(false)} />}
    </div>
  );
}
