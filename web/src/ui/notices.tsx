import { announcements } from "../state/announcements.ts";
import { dismiss, notices } from "../state/notices.ts";
import { useStore } from "../state/store.ts";
import { useTexts } from "../text/use-texts.ts";
import { IconButton } from "./icon-button.tsx";

/** Short-lived notes at the edge, and what is said to people who use a screen reader. */
export function Notices() {
  const texts = useTexts();
  const shown = useStore(notices);
  const said = useStore(announcements);
  return (
    <>
      <div className="notices" role="status">
        {shown.map((notice) => (
          <div key={notice.id} className={`notice ${notice.kind}`}>
            <span>{notice.text}</span>
            {notice.action !== undefined && (
              <button
                type="button"
                className="link-button"
                onClick={() => {
                  notice.action?.run();
                  dismiss(notice.id);
                }}
              >
                {notice.action.label}
              </button>
            )}
            <IconButton
              icon="close"
              size={15}
              label={texts.close}
              onClick={() => dismiss(notice.id)}
            />
          </div>
        ))}
      </div>
      <div className="off-screen" aria-live="polite" aria-relevant="additions">
        {said.map(({ id, text }) => (
          <p key={id} dir="auto">
            {text}
          </p>
        ))}
      </div>
    </>
  );
}
