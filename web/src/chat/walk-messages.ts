/** Gives the next message above or below the focus; without it in the list, to the first or last one in view. */
export function walkMessages(by: 1 | -1): boolean {
  const frame = document.querySelector<HTMLElement>(".messages");
  if (frame === null) return false;
  const messages = [...frame.querySelectorAll<HTMLElement>("article.message")];
  const at = messages.findIndex((message) => message.contains(document.activeElement));
  const view = frame.getBoundingClientRect();
  const seen = messages.filter((message) => {
    const { top, bottom } = message.getBoundingClientRect();
    return bottom > view.top && top < view.bottom;
  });
  const next = at === -1 ? seen.at(by === 1 ? 0 : -1) : messages[at + by];
  if (next === undefined) return false;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  return true;
}
