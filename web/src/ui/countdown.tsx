import { useEffect, useState } from "react";
import { useTexts } from "../text/use-texts.ts";

/** Longer than this nobody counts. */
const countedMs = 120_000;

/** How long it takes until something is possible again; nothing when that is now. */
export function Countdown({ untilMs }: { readonly untilMs: number }) {
  const texts = useTexts();
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const leftMs = untilMs - now;
  if (leftMs <= 0) return null;
  return (
    <span className="countdown">
      {leftMs > countedMs
        ? texts.possibleAt(new Date(untilMs).toLocaleString())
        : texts.tryingIn(Math.ceil(leftMs / 1_000))}
    </span>
  );
}
