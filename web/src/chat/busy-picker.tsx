import { busyChoices, chosenOnBusy, onBusyOf } from "../state/busy.ts";
import { conversation } from "../state/conversation.ts";
import { usePart, useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";

/** What becomes of a message that is sent while a reply is made. */
export function BusyPicker() {
  const { onBusy: texts } = useTexts();
  const config = usePart(conversation, (current) => current.session?.config);
  const chosen = useStore(chosenOnBusy) ?? onBusyOf(config);
  return (
    <select
      className="picker busy"
      aria-label={texts.label}
      title={texts.label}
      value={chosen}
      onChange={({ target }) =>
        chosenOnBusy.set(busyChoices.find((each) => each === target.value) ?? null)
      }
    >
      {busyChoices.map((each) => (
        <option key={each} value={each}>
          {texts.choices[each]}
        </option>
      ))}
    </select>
  );
}
