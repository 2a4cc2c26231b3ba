/**
 * A speech process for tests of its supervision: speaks the same messages as the real one, and does what the text of a
 * question says: `die` ends it, `hang` leaves it without an answer, `refuse` makes it say no.
 */
import type { ChildAnswer, ChildQuestion } from "../../../src/voice/providers/sherpa/messages.ts";

process.on("message", (question: ChildQuestion) => {
  const { id, kind } = question;
  const answer = (value: ChildAnswer) => process.send?.(value);
  if (kind === "load") {
    const { mode } = question.config.config as { mode?: string };
    if (mode === "die") process.exit(255);
    if (mode === "refuse") answer({ id, kind: "fault", fault: "no such model" });
    else if (mode !== "hang") answer({ id, kind: "loaded", speakers: 1 });
  }
  if (kind !== "speak") return;
  if (question.text === "die") process.abort();
  if (question.text === "refuse") answer({ id, kind: "fault", fault: "cannot say this" });
  if (question.text === "pid") {
    const audio = { samples: Int16Array.of(1, 2, 3), sampleRateHz: process.pid };
    answer({ id, kind: "sound", audio });
  }
});
process.on("disconnect", () => process.exit(0));
