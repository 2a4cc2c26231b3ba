import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { Dialog } from "../ui/dialog.tsx";
import { keysOf, shortcuts, usesSingleKeys } from "./shortcuts.ts";

/** What keys do, and whether single ones do anything. */
export function ShortcutsDialog({ onClose }: { readonly onClose: () => void }) {
  const texts = useTexts();
  const areOn = useStore(usesSingleKeys);
  return (
    <Dialog title={texts.shortcuts.title} onClose={onClose}>
      <dl className="shortcut-list">
        {shortcuts.map((shortcut) => (
          <div key={shortcut.name}>
            <dt>{texts.shortcuts.of[shortcut.name]}</dt>
            <dd>
              <kbd>{keysOf(shortcut)}</kbd>
            </dd>
          </div>
        ))}
      </dl>
      <label className="choice">
        <input
          type="checkbox"
          checked={areOn}
          onChange={({ target }) => usesSingleKeys.set(target.checked)}
        />{" "}
        {texts.shortcuts.single}
      </label>
    </Dialog>
  );
}
