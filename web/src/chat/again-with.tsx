import type { ReactNode } from "react";
import { regenerate } from "../state/branches.ts";
import { agents, models } from "../state/catalogue.ts";
import { modelsToChoose } from "../state/choose.ts";
import type { MessageView } from "../state/reply-view.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Menu } from "../ui/menu.tsx";

/** Asks again, this time another model or another agent; nothing where there is no other. */
export function AgainWith({
  message,
  children,
}: {
  readonly message: MessageView;
  /** What the button shows. */
  readonly children: ReactNode;
}) {
  const texts = useTexts();
  const list = useStore(agents);
  const all = useStore(models);
  const own = list.find(({ agent_id: id }) => id === message.agent_id);
  const takesModel = own?.settings.includes("model") === true;
  const other = (takesModel ? modelsToChoose(all, null) : []).filter(
    ({ id }) => id !== (message.model ?? own?.model),
  );
  const others = list.filter(({ agent_id: id }) => id !== message.agent_id);
  const items = [
    ...other.map(({ id, name }) => ({
      label: name,
      run: () => void regenerate(message, { model: id }),
    })),
    ...(other.length > 0 && others.length > 0 ? (["separator"] as const) : []),
    ...others.map(({ agent_id: id, name }) => ({
      label: name,
      run: () => void regenerate(message, { agent_id: id }),
    })),
  ];
  if (items.length === 0) return null;
  return (
    <Menu label={texts.remedies.model} items={items} className="again-with" placement="free">
      {children}
    </Menu>
  );
}
