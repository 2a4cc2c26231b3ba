import { useEffect, useRef } from "react";

/** Longer ones are shown as they were written. */
const maxLength = 4_000;

/** A formula. What draws it is loaded with the first one. */
export function Maths({
  tex,
  isDisplayed,
}: {
  readonly tex: string;
  readonly isDisplayed: boolean;
}) {
  const place = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    let isCurrent = true;
    const draw = async () => {
      if (tex.length > maxLength) return;
      const { drawFormula } = await import("./draw-formula.ts");
      if (isCurrent && place.current !== null) drawFormula(place.current, tex, isDisplayed);
    };
    draw().catch(() => undefined);
    return () => {
      isCurrent = false;
    };
  }, [tex, isDisplayed]);
  return (
    <span
      className={isDisplayed ? "maths displayed" : "maths"}
      tabIndex={isDisplayed ? 0 : undefined}
    >
      <span ref={place} key={tex}>
        {tex}
      </span>
    </span>
  );
}
