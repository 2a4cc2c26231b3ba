import katex from "katex";
import "katex/dist/katex.min.css";

/** Draws a formula into an element; a wrong one is shown as it was written. Formulas can name no address and no style. */
export function drawFormula(element: HTMLElement, tex: string, isDisplayed: boolean): void {
  withoutStyleAttributes(() => {
    katex.render(tex, element, {
      displayMode: isDisplayed,
      throwOnError: false,
      errorColor: "currentColor",
      strict: "ignore",
      trust: false,
      maxExpand: 300,
      maxSize: 30,
    });
  });
}

/**
 * KaTeX writes some widths as `style` attributes, which the page's policy forbids: there they could come from markup.
 * The same set as properties is allowed, because only code can do it. `draw` must be synchronous.
 */
function withoutStyleAttributes(draw: () => void): void {
  const { prototype } = Element;
  const original = Object.getOwnPropertyDescriptor(prototype, "setAttribute");
  if (original === undefined) return;
  const setAttribute = original.value as (name: string, value: string) => void;
  prototype.setAttribute = function set(this: Element, name: string, value: string) {
    if (name === "style" && "style" in this) {
      (this as HTMLElement).style.cssText = value;
    } else setAttribute.call(this, name, value);
  };
  try {
    draw();
  } finally {
    Object.defineProperty(prototype, "setAttribute", original);
  }
}
